"""The library: one document against a node, or one index against a node, without any network.

Knows how a tool writer calls the core. Leaves judging, ranking and reading to it; whoever wants metadata that an index
only points to says how to fetch it.
"""

from collections.abc import Callable

from imagefit.errors import ContentInvalidError
from imagefit.formats.catalog import parse
from imagefit.formats.contract import Locator
from imagefit.model.decision import Decision, DocumentVerdict
from imagefit.model.facts import Node
from imagefit.model.oci import ImageIndex, check_content, digest_of, parse_index
from imagefit.model.policy import Policy
from imagefit.model.requirement import Document, Problem
from imagefit.selection.match import judge_document
from imagefit.selection.session import Selection

Fetch = Callable[[Locator], bytes]
"""Returns the bytes of one locator; raises whatever it likes where it has none."""


def evaluate(document: bytes | Document, node: Node) -> DocumentVerdict:
    """Judge one compatibility document.

    Args:
        document: JSON or YAML in any dialect, at most 4 MiB, or one that has been read.
        node: what to judge it against, such as ``parse_profile`` or ``this_node`` returns.

    Returns:
        Yes, no or unknown, with one verdict per alternative, findings in them, and the document with its problems.

    Raises:
        InvalidDocumentError: no dialect claims the document, or nothing of it can be read.
    """
    return judge_document(parse(document) if isinstance(document, bytes) else document, node)


def choose(
    index: bytes | ImageIndex, node: Node, *, policy: Policy | None = None, fetch: Fetch | None = None
) -> Decision:
    """Choose the entry of an image index that is best for a node.

    Args:
        index: JSON of an OCI image index or Docker manifest list, at most 4 MiB, or one that has been read.
        node: what to choose for.
        policy: the operator's wishes; without it the defaults.
        fetch: how to get metadata that the index points to. Its content is checked against the locator's digest (not
            that of referrers, an index that nothing vouches for). Without it, and for what it raises, entries whose
            metadata is not there are unknown; referrers that are not there change nothing, nor do any where the policy
            asks for signatures, which are not looked at here.

    Returns:
        Every entry in rank order with its verdict, and the chosen one.

    Raises:
        InvalidIndexError: the bytes are no index.
    """
    read = parse_index(index, digest_of(index)) if isinstance(index, bytes) else index
    policy = policy or Policy()
    selection = Selection(read, node, policy, complete=True)
    while fetch and (wanted := selection.wanted()):
        for locator in wanted:
            selection.supply(locator, _fetched(fetch, locator, policy))
    return selection.decide()


def _fetched(fetch: Fetch, locator: Locator, policy: Policy) -> bytes | Problem:
    if locator.kind == "referrers" and policy.require_signature:
        return Problem("not read: signatures are asked for, and nobody looks at them here", locator.place)
    try:
        content = fetch(locator)
        if locator.kind != "referrers":
            check_content(content, locator.descriptor)
    except ContentInvalidError as error:
        return Problem(f"not read: {error.message}", locator.place)
    except Exception as error:  # noqa: BLE001 - a caller's function may fail in any way; that costs one entry
        return Problem(f"not read: {error}", locator.place)
    return content
