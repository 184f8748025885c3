"""``imagefit node``: what is known of this node, as a table or as a profile that can be replayed."""

from pathlib import Path

from rich.table import Table

from imagefit.cli.terminal import Terminal, plain
from imagefit.config import Config, load_config
from imagefit.errors import InvalidProfileError
from imagefit.formats.node_profile import format_profile, parse_profile
from imagefit.model.facts import Facts, Node
from imagefit.model.oci import MAX_DOCUMENT_BYTES
from imagefit.node.collect import Collected, collect
from imagefit.node.contract import HostView

_SHOWN = 6


def show_node(config_path: Path | None, *, as_json: bool) -> int:
    """Show the node's facts; ``as_json`` writes a profile.

    Raises:
        InvalidConfigurationError: the configuration has a fault.
    """
    collected = collect(HostView(load_config(config_path).node.root))
    if as_json:
        print(format_profile(collected.node).decode(), end="")
    else:
        _print_table(collected)
    return 0


def read_node(config: Config, path: Path | None) -> Node:
    """Return the node of a profile file, or without one this node.

    Raises:
        InvalidProfileError: the file cannot be read or is no profile.
    """
    if path is None:
        return collect(HostView(config.node.root)).node
    try:
        with path.open("rb") as file:
            content = file.read(MAX_DOCUMENT_BYTES + 1)
    except OSError as error:
        raise InvalidProfileError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > MAX_DOCUMENT_BYTES:
        raise InvalidProfileError(f"{path} has more than {MAX_DOCUMENT_BYTES} bytes")
    try:
        return parse_profile(content)
    except InvalidProfileError as error:
        raise InvalidProfileError(f"{path}: {error.message}", advice=error.advice) from error


def _print_table(collected: Collected) -> None:
    node = collected.node
    console = Terminal()
    console.print(plain("/".join(part for part in (node.os, node.architecture, node.variant) if part), style="bold"))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for header in ("FEATURE", "COUNT", "FACTS"):
        table.add_column(header, no_wrap=header != "FACTS", overflow="fold")
    for feature, facts in sorted(_facts(node.facts).items()):
        more = ", …" if len(facts) > _SHOWN else ""
        table.add_row(feature, str(len(facts)), plain(", ".join(facts[:_SHOWN]) + more))
    console.print(table)
    for report in collected.reports:
        missing = ", ".join(report.uncovered)
        why = report.message or "its source says nothing of it"
        if not report.ok:
            console.print(plain(f"detector {report.name} broke: {why}", style="red"))
        elif missing:
            console.print(plain(f"not known: {missing} ({why})", style="yellow"))


def _facts(facts: Facts) -> dict[str, list[str]]:
    flags = {feature: sorted(names) for feature, names in facts.flags.items()}
    attributes = {feature: [f"{k}={v}" for k, v in sorted(of.items())] for feature, of in facts.attributes.items()}
    instances = {
        feature: [":".join(one.get(key, "") for key in ("vendor", "device")) for one in some]
        for feature, some in facts.instances.items()
    }
    return flags | attributes | instances
