"""``imagefit explain``: the decision on an image, or on an index in a file, as a table or as JSON."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from rich.table import Table

from imagefit.cli.node import read_node
from imagefit.cli.terminal import Terminal, plain
from imagefit.config import Config, load_config
from imagefit.errors import InvalidIndexError
from imagefit.model.decision import Decision
from imagefit.model.facts import Node
from imagefit.model.oci import MAX_DOCUMENT_BYTES, digest_of, parse_index
from imagefit.model.reference import parse_reference
from imagefit.model.truth import Truth
from imagefit.registry.build import registry_client
from imagefit.selection.explain import as_data, platform_of, reason, short, why_chosen
from imagefit.selection.session import Selection
from imagefit.service import Service

_EXIT = {Truth.YES: 0, Truth.NO: 1, Truth.UNKNOWN: 3}
_STYLES = {Truth.YES: "green", Truth.NO: "red", Truth.UNKNOWN: "yellow"}


def explain(image: str, config_path: Path | None, node_path: Path | None, *, as_json: bool) -> int:
    """Show the decision on an image.

    Args:
        image: an image name, or the path of a file with an image index.
        config_path: the configuration, or None for the default one.
        node_path: a node profile to judge for, or None for this node.
        as_json: print JSON instead of a table.

    Returns:
        0 if an entry that fits is chosen, 3 if one that may fit is, 1 if none is.

    Raises:
        ImagefitError: nothing can be decided; the message says why.
    """
    config = load_config(config_path)
    node = read_node(config, node_path)
    if _is_file(image):
        decision: Decision | None = _decide_file(Path(image), node, config)
    else:
        print(f"resolving {parse_reference(image)} …", file=sys.stderr)
        decision = asyncio.run(_decide_reference(image, node, config))
    if decision is None:
        return _print_no_index(image, as_json=as_json)
    if as_json:
        _print_json({"image": image, **as_data(decision)})
    else:
        _print_table(decision)
    return 1 if decision.chosen is None else _EXIT[decision.chosen.verdict.truth]


def _is_file(image: str) -> bool:
    if image.startswith(("./", "../", "/")) or image.endswith(".json"):
        return True
    try:
        return Path(image).is_file()
    except OSError:  # longer than any file name
        return False


def _decide_file(path: Path, node: Node, config: Config) -> Decision:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_DOCUMENT_BYTES + 1)
    except OSError as error:
        raise InvalidIndexError(f"{path} cannot be read: {error.strerror}") from error
    try:
        index = parse_index(content, digest_of(content))
    except InvalidIndexError as error:
        raise InvalidIndexError(
            f"{path}: {error.message}", advice="expected an OCI image index or Docker list"
        ) from error
    return Selection(index, node, config.effective_policy, complete=True).decide()


async def _decide_reference(image: str, node: Node, config: Config) -> Decision | None:
    async def known() -> Node:
        return node

    registry = registry_client(config.registry.config_paths, Path(config.registry.cache))
    service = Service(registry, known, config.effective_policy, config.policy.time_budget)
    try:
        return await service.decide(parse_reference(image), None, complete=True)
    finally:
        await registry.close()


def _print_no_index(image: str, *, as_json: bool) -> int:
    why = "it is a single manifest, not an index: there is nothing to choose"
    if as_json:
        _print_json({"image": image, "index": None, "chosen": None, "why": why, "entries": []})
    else:
        print(f"{image}: {why}")
    return 0


def _print_json(data: dict[str, Any]) -> None:
    """Print in ASCII: a terminal must not obey what an author wrote, and file names need not be UTF-8."""
    print(json.dumps(data, indent=2))


def _print_table(decision: Decision) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for header in ("", "ENTRY", "PLATFORM", "DIGEST", "FITS", "BECAUSE"):
        table.add_column(header, no_wrap=header in {"", "ENTRY", "DIGEST", "FITS"}, overflow="fold")
    for ranked in decision.ranking:
        truth = ranked.verdict.truth
        table.add_row(
            "→" if ranked is decision.chosen else "",
            str(ranked.position),
            plain(platform_of(ranked)),
            short(ranked.descriptor.digest).removeprefix("sha256:"),
            plain(truth, style=_STYLES[truth]),
            plain(reason(ranked.verdict)),
        )
    console = Terminal()
    console.print(table)
    console.print()
    if decision.chosen is None:
        console.print(plain(f"Nothing is pulled: {why_chosen(decision)}."))
    else:
        chosen = decision.chosen
        console.print(plain(f"Entry {chosen.position} ({platform_of(chosen)}) is pulled: {why_chosen(decision)}."))
        console.print(plain(chosen.descriptor.digest))
    for ranked in decision.ranking:
        for problem in ranked.verdict.problems:
            console.print(plain(f"Entry {ranked.position}: {problem}", style="yellow"))
