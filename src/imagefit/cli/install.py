"""``imagefit install`` and ``imagefit uninstall``: kubelet told to ask imagefit, and no longer.

Knows that a change is shown before it is made, and that a node has more than kubelet's settings to be
right. Restarts nothing. Leaves what has to change to ``kubelet.planning``, what was there to ``keeping`` and the files
to ``node_files``.
"""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.text import Text

from imagefit.cli.asking import ask
from imagefit.cli.keeping import forget, keep, read_kept
from imagefit.cli.node_files import NodeFiles
from imagefit.cli.processes import Process, command_lines, processes, sees
from imagefit.cli.terminal import Terminal, plain
from imagefit.config import DEFAULT_PATH, Config, load_config
from imagefit.errors import KubeletConfigurationError
from imagefit.kubelet.endpoint import endpoint_of
from imagefit.kubelet.layout import Kind, Layout, Way
from imagefit.kubelet.planning import Change, changes_to_install, changes_to_undo, digest, read_layout
from imagefit.kubelet.units import read_unit

UNIT: Final = "imagefit.service"
KUBELET: Final = "kubelet"
_KUBEADM_FLAGS: Final = "/var/lib/kubelet/kubeadm-flags.env"
_ENABLED: Final = "/etc/systemd/system/multi-user.target.wants/imagefit.service"
_ANSWER_SECONDS: Final = 5.0
_STYLES: Final = {"+": "green", "-": "red", "@": "cyan"}


@dataclass(frozen=True, slots=True)
class Node:
    """The node that is installed on.

    Attributes:
        files: its files.
        config: of imagefit there.
        config_folder: of its further configuration files.
        is_this: whether it is the running one, so that processes and sockets can be looked at.
    """

    files: NodeFiles
    config: Config
    config_folder: str
    is_this: bool

    @property
    def endpoint(self) -> str:
        """What kubelet calls imagefit's socket."""
        return endpoint_of(self.config.server.socket)

    def layout(self) -> Layout:
        """Return where kubelet gets its settings. Raises ``KubeletConfigurationError``."""
        return read_layout(self.files, command_lines(KUBELET) if self.is_this else [])


def files_of(root: Path) -> NodeFiles:
    """Return the files below a root. Raises ``KubeletConfigurationError`` where there is no such folder."""
    if not root.is_dir():
        raise KubeletConfigurationError(f"{root} is no folder", advice="give the one that the node's files are in")
    return NodeFiles(root)


def node_of(config_path: Path | None, root: Path) -> Node:
    """Return a node.

    Args:
        config_path: imagefit's configuration file, or None for the default one of the node.
        root: ``/``, or where the node's files are.

    Raises:
        InvalidConfigurationError: imagefit's configuration has a fault.
        KubeletConfigurationError: there is no such folder.
    """
    files, is_this = files_of(root), root.resolve() == Path("/")
    main = config_path or DEFAULT_PATH
    if not is_this and config_path is None:
        main = root / DEFAULT_PATH.relative_to("/")
    config = load_config(config_path if is_this else main) if is_this or main.exists() else Config()
    folder = main.with_suffix(".d")
    name = f"/{folder.relative_to(root)}" if not is_this and folder.is_relative_to(root) else str(folder)
    return Node(files, config, name, is_this)


def install(config_path: Path | None, root: Path, *, dry_run: bool) -> int:
    """Have kubelet ask imagefit.

    Args:
        config_path: the configuration file, or None for the default one.
        root: of the node's files.
        dry_run: only show what would be done.

    Raises:
        InvalidConfigurationError: imagefit's configuration has a fault.
        KubeletConfigurationError: kubelet's configuration is not understood, or names another image service.
    """
    node = node_of(config_path, root)
    layout = node.layout()
    changes = changes_to_install(
        node.files,
        layout,
        node.endpoint,
        containerd=node.config.containerd.socket,
        config_folder=node.config_folder,
    )
    console = Terminal()
    if not changes:
        console.print(plain(f"{layout.kind} asks imagefit already: {layout.places[-1].path or 'its command line'}"))
        return 0
    _check_files(node.files, changes)
    if node.is_this and layout.kind is Kind.KUBELET:
        check_seen(processes(KUBELET), changes)
    _show(console, changes)
    if not dry_run:
        keep(node.files, node.endpoint, _unit(node, layout), changes)
        for change in changes:
            node.files.write(change.path, change.after or b"")
    _advise(console, node, layout, changes, dry_run=dry_run)
    return 0


def uninstall(root: Path, *, dry_run: bool) -> int:
    """Put back what ``install`` changed, whatever imagefit's configuration says now.

    Args:
        root: of the node's files.
        dry_run: only show what would be done.

    Raises:
        KubeletConfigurationError: a file was changed since, and is not understood.
    """
    files = files_of(root)
    console = Terminal()
    kept = read_kept(files)
    if kept is None:
        console.print(plain("imagefit install has changed nothing here"))
        return 0
    changes = changes_to_undo(files, kept.receipt, kept.backups)
    _check_files(files, changes)
    _show(console, changes)
    written = {one.path: one for one in kept.receipt.files}
    for change in changes:
        if digest(change.before or b"") != written[change.path].after:
            console.print(plain(f"{change.path} was changed since: only the line of imagefit goes", style="yellow"))
    if not dry_run:
        for change in changes:
            if change.after is None:
                files.remove(change.path, written[change.path].folders)
            else:
                files.write(change.path, change.after)
        forget(files)
    if not changes:
        console.print(plain("there is nothing to put back"))
    else:
        _print_commands(console, [f"systemctl restart {kept.receipt.unit}"], dry_run=dry_run)
    return 0


def _check_files(files: NodeFiles, changes: Iterable[Change]) -> None:
    for change in changes:
        if change.before is not None:
            files.check_ours(change.path)


def check_seen(kubelets: Sequence[Process], changes: Iterable[Change]) -> None:
    """Refuse files that no kubelet which runs would see, since it runs in a container; one that does is enough.

    Args:
        kubelets: those that run.
        changes: of files of this node.

    Raises:
        KubeletConfigurationError: the change would not be seen.
    """
    for change in changes:
        seen = (sees(one.pid, Path(change.path)) for one in kubelets)
        if kubelets and change.way is not Way.FLAG and not any(seen):
            raise KubeletConfigurationError(
                f"{kubelets[0].name} (process {kubelets[0].pid}) does not see {change.path}: it runs in a container",
                advice="change the file that is mounted there, see docs/how-to/install.md for what to add",
            )


def _show(console: Terminal, changes: Iterable[Change]) -> None:
    """Show changes as a diff, lines without their ends."""
    for change in changes:
        old, new = _lines(change.before), _lines(change.after)
        names = change.path if change.before is not None else "/dev/null", change.path if new else "/dev/null"
        for line in difflib.unified_diff(old, new, *names, lineterm=""):
            console.print(Text.assemble((plain(line).plain, _STYLES.get(line[:1], ""))), soft_wrap=True)


def _lines(content: bytes | None) -> list[str]:
    return (content or b"").decode(errors="replace").splitlines()


def _advise(console: Terminal, node: Node, layout: Layout, changes: Sequence[Change], *, dry_run: bool) -> None:
    """Say what is missing, and what is left to do."""
    warnings, commands = [], []
    if read_unit(node.files, UNIT) is None:
        warnings.append(f"{UNIT} is not installed: kubelet finds nobody at {node.endpoint} after its next start")
    elif not node.files.exists(_ENABLED):
        warnings.append(f"{UNIT} is not enabled: kubelet would find nobody there after the next boot")
        commands.append("systemctl enable --now imagefit")
    if layout.kind is not Kind.KUBELET and len(changes) > 1:
        commands.append("systemctl restart imagefit")
    if node.is_this and (why := ask(Path(node.config.server.socket), _ANSWER_SECONDS).why_not):
        warnings.append(f"imagefit does not answer ({why}): kubelet would not start")
    if changes[-1].way is Way.KEY and node.files.exists(_KUBEADM_FLAGS):
        warnings.append(f"kubeadm upgrade writes {changes[-1].path} anew: run imagefit install again after it")
    for warning in warnings:
        console.print(plain(warning, style="yellow"))
    _print_commands(
        console, [*commands, f"systemctl restart {_unit(node, layout)}", "imagefit status"], dry_run=dry_run
    )


def _unit(node: Node, layout: Layout) -> str:
    """Return the service to restart, as systemctl is told."""
    found = next((unit for unit in layout.units if read_unit(node.files, unit)), layout.units[0])
    return found.removesuffix(".service")


def _print_commands(console: Terminal, commands: Sequence[str], *, dry_run: bool) -> None:
    console.print(plain("nothing was changed; then there would be to do:" if dry_run else "now:", style="bold"))
    for command in commands:
        console.print(plain(f"  {command}"))
