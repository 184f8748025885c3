"""``imagefit explain``: the decision on an image, an index in a file or an image layout, for a person or as data.

Knows where an index comes from and which policy a pull of it would get. Leaves how a decision looks to
``decision_view``.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from msgspec.structs import replace

from imagefit.cli.decision_view import print_decision
from imagefit.cli.files import read_file
from imagefit.cli.layout import Layout, is_layout
from imagefit.cli.node import read_node
from imagefit.cli.progress import Progress
from imagefit.cli.registries import Asking, Person
from imagefit.cli.terminal import EXIT, print_data, tell
from imagefit.config import Config, load_config
from imagefit.errors import InvalidConfigurationError, InvalidIndexError, RegistryError
from imagefit.library import choose
from imagefit.model.decision import Decision
from imagefit.model.facts import Node
from imagefit.model.oci import ImageIndex, digest_of, parse_index
from imagefit.model.policy import Policy, Pull
from imagefit.model.reference import ImageReference, parse_reference
from imagefit.selection.explain import as_data
from imagefit.service import Service
from imagefit.service.report import Steps
from imagefit.trust.vouching import voucher
from imagefit.version import VERSION

_NO_INDEX: Final = "it is a single manifest, not an index: there is nothing to choose"
Form = Literal["table", "json", "yaml"]


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be explained.

    Attributes:
        image: an image name, or the path of a file with an image index, or that of an OCI image layout and, after a
            colon, the name of an index in it.
        as_name: the image name that a file or a layout is judged by; empty for none, so that only rules for all
            images hold.
        namespace: of the pod.
        runtime_handler: of the pod.
        annotations: of the pod.
        config: the configuration file, or None for the default one.
        node: a node profile to judge for, or None for this node.
        referrers: believe what only refers to the image, too.
        person: as whom registries are asked.
    """

    image: str
    as_name: str = ""
    namespace: str = ""
    runtime_handler: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    config: Path | None = None
    node: Path | None = None
    referrers: bool = False
    person: Person = field(default_factory=Person)


def explain(question: Question, form: Form, *, all_checks: bool = False) -> int:
    """Show the decision on an image.

    Args:
        question: which, for whom and by what.
        form: how.
        all_checks: in a table, show every check of every entry.

    Returns:
        0 if an entry that fits is chosen, 3 if one that may fit is, 1 if none is.

    Raises:
        ImagefitError: nothing can be decided; the message says why.
    """
    config = load_config(question.config)
    decision = _decided(question, config, read_node(config, question.node))
    if decision is None:
        _print_no_index(question.image, form)
        return 0
    if form == "table":
        print_decision(decision, all_checks=all_checks)
    else:
        print_data({"image": question.image, **as_data(decision)}, form)
    return 1 if decision.chosen is None else EXIT[decision.chosen.verdict.truth]


def _decided(question: Question, config: Config, node: Node) -> Decision | None:
    """Return the decision, None where the image is no index."""
    image = question.image
    if question.person.says_how and not _is_name(image):
        raise InvalidConfigurationError(
            "--creds and --plain-http say how a registry is asked", advice=f"{image} is read here, and none is asked"
        )
    folder, name = (image, "") if is_layout(Path(image)) else image.rpartition(":")[::2]
    if folder and is_layout(Path(folder)):
        layout = Layout(Path(folder))
        index = layout.index(name)
        policy = _policy(question, config, question.as_name)
        return None if index is None else choose(index, node, policy=policy, fetch=layout.fetch)
    if _is_file(image):
        return choose(_read_index(image), node, policy=_policy(question, config, question.as_name))
    reference = parse_reference(image)
    policy = _policy(question, config, question.as_name or image)
    asking = question.person.asking(config, reference, _tell_problem, _tell_problem)
    try:
        return asyncio.run(_looked_up(reference, node, policy, asking, config))
    except RegistryError as error:
        error.advice = error.advice or f"'imagefit doctor {reference}' shows where it fails"
        raise


def _policy(question: Question, config: Config, name: str) -> Policy:
    """Return the policy of a pull by that name, as the daemon would; without a name only rules for all images match."""
    full_name = str(parse_reference(name)) if name else ""
    pull = Pull(full_name, question.namespace, question.runtime_handler, question.annotations)
    policy = config.policies.of(pull)
    return replace(policy, trust_referrers=True, require_signature=False) if question.referrers else policy


def _is_name(image: str) -> bool:
    """Tell whether a registry is asked for it."""
    return not (is_layout(Path(image)) or is_layout(Path(image.rpartition(":")[0] or image)) or _is_file(image))


def _is_file(image: str) -> bool:
    if image.startswith(("./", "../", "/")) or image.endswith(".json"):
        return True
    try:
        return Path(image).is_file()
    except OSError:  # longer than any file name
        return False


def _read_index(path: str) -> ImageIndex:
    content = read_file(path, InvalidIndexError)
    try:
        return parse_index(content, digest_of(content))
    except InvalidIndexError as error:
        raise InvalidIndexError(
            f"{path}: {error.message}", advice="expected an OCI image index or Docker list"
        ) from error


async def _looked_up(
    reference: ImageReference, node: Node, policy: Policy, asking: Asking, config: Config
) -> Decision | None:
    async def known() -> Node:
        return node

    registry = asking.client(config, f"imagefit/{VERSION}")
    rules = config.trust.referrers.key_rules
    try:
        with Progress(str(reference)) as progress:
            service = Service(registry, known, vouch=voucher(registry, rules).vouch if rules else None)
            return await service.decide(reference, asking.auth, policy, complete=True, steps=Steps(progress.begun))
    finally:
        await registry.close()


def _tell_problem(problem: InvalidConfigurationError) -> None:
    tell(f"left out: {problem}")


def _print_no_index(image: str, form: Form) -> None:
    if form == "table":
        print(f"{image}: {_NO_INDEX}")
    else:
        print_data({"image": image, "index": None, "chosen": None, "why": _NO_INDEX, "entries": []}, form)
