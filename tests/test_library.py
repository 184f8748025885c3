"""The library: documents and indexes against a node, without grpc or network code."""

import subprocess
import sys

import pytest

import imagefit
from builders import (
    DOCUMENT_MEDIA_TYPE,
    descriptor,
    entry,
    index,
    index_bytes,
    node,
    to_bytes,
)
from imagefit.formats.contract import Locator
from imagefit.library import Fetch
from imagefit.model.policy import Unknown
from imagefit.model.requirement import Document

NODE = node(attributes={"kernel.version": {"full": "6.1.0"}})
MISFITS = to_bytes([{"oci.kernel.version": ">=7"}])
POINTING = index_bytes(entry("a", compatibilities=descriptor(MISFITS, DOCUMENT_MEDIA_TYPE)), entry("b"))


@pytest.mark.parametrize(("asked", "expected"), [(">=6", "yes"), (">=7", "no")])
def test_a_document_is_judged(asked: str, expected: str) -> None:
    content = to_bytes([{"oci.kernel.version": asked}])
    assert imagefit.evaluate(content, NODE).truth == expected
    assert imagefit.evaluate(imagefit.parse_document(content), NODE).truth == expected


def test_a_document_of_no_dialect_is_an_error_and_a_broken_set_a_problem() -> None:
    with pytest.raises(imagefit.InvalidDocumentError):
        imagefit.evaluate(b"7", NODE)
    assert imagefit.evaluate(b"[7]", NODE).document.problems[0].place == "/0"


def test_an_empty_document_asks_for_nothing() -> None:
    assert imagefit.evaluate(Document("d"), NODE).truth is imagefit.Truth.YES


def test_the_best_entry_is_chosen_from_bytes_or_from_a_read_index() -> None:
    entries = (entry("a", "linux/amd64"), entry("b", "linux/amd64/v3"), entry("c", "linux/amd64/v4"))
    for one in (index_bytes(*entries), index(*entries)):
        chosen = imagefit.choose(one, NODE).chosen
        assert chosen is not None
        assert chosen.position == 1


def test_what_is_no_index_is_an_error() -> None:
    with pytest.raises(imagefit.InvalidIndexError):
        imagefit.choose(b"{}", NODE)


def missing(_: Locator) -> bytes:
    raise OSError("gone")


FETCHES = [
    pytest.param(lambda _: MISFITS, "no", id="fetched"),
    pytest.param(None, "unknown", id="no way to fetch"),
    pytest.param(missing, "unknown", id="not there"),
    pytest.param(lambda _: b"[]", "unknown", id="other content than asked for"),
]


@pytest.mark.parametrize(("fetch", "expected"), FETCHES)
def test_metadata_that_an_index_points_to_comes_from_the_caller(fetch: Fetch | None, expected: str) -> None:
    decision = imagefit.choose(POINTING, NODE, fetch=fetch)
    assert next(one for one in decision.ranking if one.position == 0).verdict.truth == expected


def test_a_policy_is_obeyed() -> None:
    strict = imagefit.Policy(unknown=Unknown.REJECT)
    only = index_bytes(entry("a", compatibilities=descriptor(MISFITS, DOCUMENT_MEDIA_TYPE)))
    assert imagefit.choose(only, NODE).chosen is not None
    assert imagefit.choose(only, NODE, policy=strict).chosen is None


def test_a_policy_is_made_of_names_of_the_library() -> None:
    condition = imagefit.Condition(imagefit.Trait.VARIANT, imagefit.Glob("v?"))
    wish = imagefit.Requirement((condition,))
    plain = imagefit.choose(index_bytes(entry("a"), entry("b", "linux/amd64/v2")), NODE)
    assert plain.decided_by is imagefit.Criterion.CPU
    policy = imagefit.Policy(
        prefer=(imagefit.Preference(wish, 2),),
        order=(imagefit.Criterion.TIER, imagefit.Criterion.PREFERENCE, imagefit.Criterion.POSITION),
    )
    decision = imagefit.choose(index_bytes(entry("a"), entry("b", "linux/amd64/v2")), NODE, policy=policy)
    assert decision.chosen is not None
    assert (decision.chosen.position, decision.decided_by) == (0, imagefit.Criterion.POSITION)


def test_referrers_are_fetched_without_a_digest_to_check_by() -> None:
    asked: list[str] = []

    def fetch(locator: Locator) -> bytes:
        asked.append(locator.kind)
        return index_bytes()

    decision = imagefit.choose(index_bytes(entry("a")), NODE, policy=imagefit.Policy(trust_referrers=True), fetch=fetch)
    assert asked == ["referrers", "referrers"]
    assert decision.ranking[0].verdict.truth is imagefit.Truth.YES


def test_every_public_name_is_there_and_no_other() -> None:
    for name in imagefit.__all__:
        assert getattr(imagefit, name) is not None
    with pytest.raises(AttributeError, match="nosuch"):
        _ = imagefit.nosuch


def test_the_library_imports_neither_grpc_nor_network_code() -> None:
    program = (
        "import sys, imagefit\n"
        "node = imagefit.this_node()\n"
        "imagefit.evaluate(b'[]', node)\n"
        "imagefit.choose(b'{\"manifests\": []}', node)\n"
        "network = {'grpc', 'aiohttp', 'asyncio', 'socket', 'ssl', 'urllib.request', 'google.protobuf'}\n"
        "print(sorted(network & set(sys.modules)))"
    )
    ended = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout == "[]\n"


def test_where_signatures_are_asked_for_no_referrer_counts_as_nobody_looks_at_them_here() -> None:
    """An index that nobody vouches for must not exclude an entry past what the policy asks."""
    asked: list[str] = []

    def fetch(locator: Locator) -> bytes:
        asked.append(locator.kind)
        raise AssertionError

    policy = imagefit.Policy(trust_referrers=True, require_signature=True)
    decision = imagefit.choose(index_bytes(entry("a")), NODE, policy=policy, fetch=fetch)
    assert decision.chosen is not None
    assert not asked
