"""``imagefit node``: what is known of this node, as a table or as a profile that can be replayed."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.table import Table
from rich.text import Text

from imagefit.cli.cpu_name import ask_cpuinfo, cpu_name
from imagefit.cli.files import read_file
from imagefit.cli.terminal import Terminal, plain
from imagefit.config import Config, load_config
from imagefit.errors import InvalidProfileError
from imagefit.formats.node_profile import format_profile, parse_profile
from imagefit.model.facts import Attributes, Facts, Node
from imagefit.node.collect import Collected, DetectorReport, collect
from imagefit.node.contract import HostView
from imagefit.node.plugins import detectors_of
from imagefit.node.reference import FEATURES

_SHOWN = 6
_SHOWN_CHARACTERS = 60


def show_node(config_path: Path | None, *, as_json: bool, ask: Callable[[], Mapping[str, object]] = ask_cpuinfo) -> int:
    """Show the node's facts.

    Args:
        config_path: the configuration file, or None for the default one.
        as_json: write a profile instead of a table.
        ask: returns what py-cpuinfo says; called only for a table, and for a CPU that nothing else names.

    Raises:
        InvalidConfigurationError: the configuration has a fault.
    """
    settings = load_config(config_path).node
    host = HostView(settings.root)
    collected = collect(host, detectors_of(settings.detectors))
    if as_json:
        print(format_profile(collected.node).decode(), end="")
    else:
        _print_table(collected, cpu_name(collected.node.facts, host, ask))
    return 0


def read_node(config: Config, path: Path | None) -> Node:
    """Return the node of a profile file, or without one this node.

    Raises:
        InvalidProfileError: the file cannot be read or is no profile.
    """
    if path is None:
        return collect(HostView(config.node.root), detectors_of(config.node.detectors)).node
    content = read_file(path, InvalidProfileError)
    try:
        return parse_profile(content)
    except InvalidProfileError as error:
        raise InvalidProfileError(f"{path}: {error.message}", advice=error.advice) from error


def _print_table(collected: Collected, cpu: str) -> None:
    node = collected.node
    console = Terminal()
    console.print(plain("/".join(part for part in (node.os, node.architecture, node.variant) if part), style="bold"))
    if cpu:
        console.print(plain(f"CPU: {cpu}"))
    table = _table("FEATURE", "COUNT", "FACTS")
    for feature, facts in sorted(_facts(node.facts).items()):
        table.add_row(plain(feature), str(facts.total()), plain(_line(facts)))
    console.print(table)
    _print_faults(console, collected.reports)


def _print_faults(console: Terminal, reports: tuple[DetectorReport, ...]) -> None:
    table = _table("NOT KNOWN", "WHY")
    for report in reports:
        why = report.message or "its source says nothing of it"
        style = "yellow" if report.ok else "red"
        names = report.uncovered or (() if report.ok else ("nothing",))
        if names:
            broke = "" if report.ok else f"detector {report.name} broke: "
            table.add_row(Text("\n").join(plain(name) for name in names), plain(broke + why), style=style)
    if table.rows:
        console.print()
        console.print(table)
    for report in reports:
        for warning in report.warnings:
            console.print(plain(f"left out: {warning}", style="yellow"))


def _table(*headers: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for header in headers:
        table.add_column(header, no_wrap=header != headers[-1], overflow="fold")
    return table


def _facts(facts: Facts) -> dict[str, Counter[str]]:
    """Return each feature's facts, those that look alike counted."""
    flags = {feature: Counter(sorted(names)) for feature, names in facts.flags.items()}
    attributes = {feature: Counter(sorted(_pairs(of))) for feature, of in facts.attributes.items()}
    instances = {feature: Counter(_instance(feature, one) for one in some) for feature, some in facts.instances.items()}
    return flags | attributes | instances


def _pairs(elements: Attributes) -> list[str]:
    return [f"{name}={value}" for name, value in elements.items()]


def _instance(feature: str, elements: Attributes) -> str:
    described = FEATURES.get(feature)
    if described is None or not described.shown:
        return " ".join(_pairs(elements))
    return described.shown.format_map(defaultdict(lambda: "?", elements))


def _line(facts: Counter[str]) -> str:
    shown = [_short(fact) if count == 1 else f"{count}x {_short(fact)}" for fact, count in facts.items()]
    return ", ".join([*shown[:_SHOWN], *(["…"] if len(shown) > _SHOWN else [])]) or "none"


def _short(fact: str) -> str:
    return fact if len(fact) <= _SHOWN_CHARACTERS else fact[: _SHOWN_CHARACTERS - 1] + "…"
