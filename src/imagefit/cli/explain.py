"""``imagefit explain``: the decision on an image, an index in a file or an image layout, as a table or as JSON."""

import asyncio
import json
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from rich.table import Table

from imagefit.cli.files import read_file
from imagefit.cli.layout import Layout, is_layout
from imagefit.cli.node import read_node
from imagefit.cli.terminal import EXIT, STYLES, Terminal, plain
from imagefit.config import Config, load_config
from imagefit.errors import InvalidIndexError
from imagefit.library import choose
from imagefit.model.decision import Decision
from imagefit.model.facts import Node
from imagefit.model.oci import ImageIndex, digest_of, parse_index
from imagefit.model.policy import Policy
from imagefit.model.reference import parse_reference
from imagefit.registry.build import registry_client
from imagefit.selection.explain import as_data, platform_of, reason, short, why_chosen
from imagefit.service import Service

_SHOWN_PROBLEMS = 20


def explain(
    image: str, config_path: Path | None, node_path: Path | None, *, as_json: bool, referrers: bool = False
) -> int:
    """Show the decision on an image.

    Args:
        image: an image name, or the path of a file with an image index, or that of an OCI image layout and, after a
            colon, the name of an index in it.
        config_path: the configuration, or None for the default one.
        node_path: a node profile to judge for, or None for this node.
        as_json: print JSON instead of a table.
        referrers: believe what only refers to the image, too.

    Returns:
        0 if an entry that fits is chosen, 3 if one that may fit is, 1 if none is.

    Raises:
        ImagefitError: nothing can be decided; the message says why.
    """
    config = load_config(config_path)
    policy = replace(config.effective_policy, trust_referrers=referrers)
    node = read_node(config, node_path)
    folder, name = (image, "") if is_layout(Path(image)) else image.rpartition(":")[::2]
    if folder and is_layout(Path(folder)):
        layout = Layout(Path(folder))
        index = layout.index(name)
        decision = None if index is None else choose(index, node, policy=policy, fetch=layout.fetch)
    elif _is_file(image):
        decision = choose(_read_index(image), node, policy=policy)
    else:
        print(f"resolving {parse_reference(image)} …", file=sys.stderr)
        decision = asyncio.run(_decide_reference(image, node, config, policy))
    if decision is None:
        return _print_no_index(image, as_json=as_json)
    if as_json:
        _print_json({"image": image, **as_data(decision)})
    else:
        _print_table(decision)
    return 1 if decision.chosen is None else EXIT[decision.chosen.verdict.truth]


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


async def _decide_reference(image: str, node: Node, config: Config, policy: Policy) -> Decision | None:
    async def known() -> Node:
        return node

    registry = registry_client(config.registry.config_paths, Path(config.registry.cache))
    service = Service(registry, known, policy, config.policy.time_budget)
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
            plain(truth, style=STYLES[truth]),
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
        for problem in islice(ranked.verdict.problems, _SHOWN_PROBLEMS):
            console.print(plain(f"Entry {ranked.position}: {problem}", style="yellow"))
