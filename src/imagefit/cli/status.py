"""``imagefit status``: whether kubelet really goes through imagefit.

Knows what there is to look at, and what each look tells. Leaves kubelet's settings to ``kubelet``, processes to
``processes`` and connections to ``unix_sockets``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from imagefit.cli.asking import ask
from imagefit.cli.install import KUBELET, Node, node_of
from imagefit.cli.processes import Process, processes, sockets_of
from imagefit.cli.terminal import EXIT, STYLES, Terminal, plain, print_data
from imagefit.cli.unix_sockets import clients_of
from imagefit.errors import ImagefitError
from imagefit.kubelet.endpoint import same
from imagefit.kubelet.layout import Layout
from imagefit.model.truth import Truth, all_of

_ANSWER_SECONDS: Final = 5.0
_NAMES: Final = (KUBELET, "k3s-server", "k3s-agent")
_AS_ROOT: Final = "run it as root"
_RESTART: Final = "restart kubelet (k3s, rke2), then look again"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look told.

    Attributes:
        step: what was looked at, in one word.
        truth: whether it is as it has to be.
        what: a sentence without a full stop.
        advice: what there is to do about it; empty for nothing.
    """

    step: str
    truth: Truth
    what: str
    advice: str = ""


def status(config_path: Path | None, *, as_json: bool) -> int:
    """Show whether kubelet goes through imagefit.

    Args:
        config_path: the configuration file, or None for the default one.
        as_json: write data instead of a table.

    Returns:
        The exit code: 0 yes, 1 no, 3 where it is not known.

    Raises:
        InvalidConfigurationError: imagefit's configuration has a fault.
    """
    node = node_of(config_path, Path("/"))
    findings = look(node, processes(*_NAMES))
    truth = verdict(findings)
    if as_json:
        print_data(_data(node, truth, findings), "json")
    else:
        _print(truth, findings)
    return EXIT[truth]


def look(node: Node, kubelets: Sequence[Process]) -> tuple[Finding, ...]:
    """Return what is found, in the order in which it is shown.

    Args:
        node: the running one.
        kubelets: the processes that are kubelet, or have it in them.
    """
    return (
        _socket(node),
        *_settings(node, kubelets),
        _connection(Path(node.config.server.socket), kubelets),
    )


def verdict(findings: Sequence[Finding]) -> Truth:
    """Return whether kubelet goes through imagefit; beside a connection, what is not known does not count."""
    connected = findings[-1].truth is Truth.YES
    return all_of(one.truth for one in findings if not (connected and one.truth is Truth.UNKNOWN))


def sentence(findings: Sequence[Finding]) -> str:
    """Return the verdict in words."""
    truth = verdict(findings)
    if truth is Truth.NO and findings[-1].truth is Truth.YES:
        return "kubelet goes through imagefit now, but may not after its next start"
    words = {Truth.YES: "goes", Truth.NO: "does not go", Truth.UNKNOWN: "may or may not go"}
    return f"kubelet {words[truth]} through imagefit"


def _socket(node: Node) -> Finding:
    path = node.config.server.socket
    answer = ask(Path(path), _ANSWER_SECONDS)
    if answer.runtime:
        return Finding("socket", Truth.YES, f"{path} answers, {answer.runtime} is behind it")
    if answer.is_denied:
        return Finding("socket", Truth.UNKNOWN, f"cannot tell: {path}: {answer.why_not}", _AS_ROOT)
    return Finding(
        "socket",
        Truth.NO,
        f"{path} gives no answer: {answer.why_not}",
        "see systemctl status imagefit containerd, and journalctl -u imagefit",
    )


def _settings(node: Node, kubelets: Sequence[Process]) -> Iterator[Finding]:
    """Yield what kubelet's settings say, and whether it was started with them."""
    try:
        layout = node.layout()
    except ImagefitError as error:
        yield Finding("settings", Truth.UNKNOWN, error.message, error.advice)
        return
    place = layout.places[-1] if layout.places else None
    if place is None or not same(place.value, node.endpoint):
        what = f"{layout.kind} is told to ask {place.value}" if place else f"{layout.kind} is not told to ask imagefit"
        yield Finding("settings", Truth.NO, what, "run imagefit install --dry-run")
        return
    yield Finding("settings", Truth.YES, f"{place.path or 'the command line'} names imagefit")
    if kubelets:
        yield _start(node, layout, kubelets)


def _start(node: Node, layout: Layout, kubelets: Sequence[Process]) -> Finding:
    changed = max((node.files.modified(place.path) or 0.0 for place in layout.places if place.path), default=0.0)
    started = min(one.started for one in kubelets)
    times = f"started {_time(started)}, settings of {_time(changed)}" if changed else f"started {_time(started)}"
    if started >= changed:
        return Finding("start", Truth.YES, times)
    # A file may be written anew with the same setting: the connection says more.
    return Finding("start", Truth.UNKNOWN, f"{times}, so perhaps without them", _RESTART)


def _connection(socket: Path, kubelets: Sequence[Process]) -> Finding:
    if not kubelets:
        return Finding("connection", Truth.NO, "no kubelet runs", "see systemctl status kubelet")
    names = ", ".join(f"{one.name} (process {one.pid})" for one in kubelets)
    try:
        clients = clients_of(socket)
        if any(clients & sockets_of(one.pid) for one in kubelets):
            return Finding("connection", Truth.YES, f"{names} is connected to imagefit")
    except FileNotFoundError:
        return Finding("connection", Truth.NO, f"{socket} does not exist", "start imagefit")
    except OSError as error:
        return Finding("connection", Truth.UNKNOWN, f"cannot tell: {error.strerror}", _AS_ROOT)
    return Finding("connection", Truth.NO, f"{names} is not connected to imagefit", _RESTART)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _data(node: Node, truth: Truth, findings: Sequence[Finding]) -> dict[str, Any]:
    return {
        "goesThrough": truth.value,
        "socket": node.config.server.socket,
        "findings": [
            {"step": one.step, "truth": one.truth.value, "what": one.what, "advice": one.advice} for one in findings
        ],
    }


def _print(truth: Truth, findings: Sequence[Finding]) -> None:
    console = Terminal()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for header in ("LOOK", "", "FOUND"):
        table.add_column(header, no_wrap=header != "FOUND", overflow="fold")
    for one in findings:
        found = plain(f"{one.what}; {one.advice}" if one.advice else one.what)
        table.add_row(plain(one.step), plain(one.truth, style=STYLES[one.truth]), found)
    console.print(table)
    console.print(plain(sentence(findings), style=STYLES[truth]))
