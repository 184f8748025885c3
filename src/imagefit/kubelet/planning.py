"""What has to change so that kubelet asks imagefit, or no longer does.

Knows when nothing has to change and when nothing may. Leaves the files to who carries a plan out. Source of the order
of settings: ``layout``.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from imagefit.errors import KubeletConfigurationError
from imagefit.kubelet.document import Document
from imagefit.kubelet.endpoint import FLAG, KEY, same
from imagefit.kubelet.layout import UNIT, Kind, Layout, Target, Way, kubelet_layout
from imagefit.kubelet.rancher import SOCKET, found_kinds, imagefit_file, own_file, rancher_layout
from imagefit.kubelet.tree import Tree
from imagefit.kubelet.units import read_unit
from imagefit.kubelet.variables import Variables

DEFAULT_CONTAINERD: Final = "/run/containerd/containerd.sock"
_BY_HAND: Final = "see docs/how-to/install.md for a change by hand"
_AFTER: Final = "kind"


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one file.

    Attributes:
        path: of the file.
        before: its content; None where it is not there.
        after: None where it goes.
        way: how the setting is written in it.
        variable: that has the flag; else empty.
    """

    path: str
    before: bytes | None
    after: bytes | None
    way: Way
    variable: str = ""


class Written(msgspec.Struct, frozen=True):
    """What was done to one file, kept until it is undone.

    Attributes:
        path: of the file.
        before: SHA-256 of its content; None where it was not there.
        after: SHA-256 of what was written.
        way: how the setting is written in it.
        variable: that has the flag; else empty.
        folders: those that were made for it, the innermost first.
    """

    path: str
    before: str | None
    after: str
    way: Way
    variable: str = ""
    folders: tuple[str, ...] = ()


class Receipt(msgspec.Struct, frozen=True):
    """What ``install`` did.

    Attributes:
        endpoint: that was put in.
        files: in the order in which they were written.
        unit: the service to restart after a change.
    """

    endpoint: str
    files: tuple[Written, ...]
    unit: str


def read_layout(tree: Tree, running: Sequence[Sequence[str]]) -> Layout:
    """Return where kubelet gets its settings on this node.

    Args:
        tree: the node.
        running: the command lines of the kubelets that run.

    Raises:
        KubeletConfigurationError: there is no kubelet, more than one kind, or it is not understood.
    """
    kinds = found_kinds(tree)
    if len(kinds) > 1 or (kinds and _has_unit(tree)):
        names = " and ".join([*kinds, *([UNIT] if _has_unit(tree) else [])])
        raise KubeletConfigurationError(f"this node has {names}, and only one of them can be meant", advice=_BY_HAND)
    return rancher_layout(tree, kinds[0]) if kinds else kubelet_layout(tree, running)


def changes_to_install(
    tree: Tree, layout: Layout, endpoint: str, *, containerd: str, config_folder: str
) -> tuple[Change, ...]:
    """Return what has to change; nothing where kubelet is told to ask imagefit already.

    Args:
        tree: the node.
        layout: of its kubelet.
        endpoint: of imagefit.
        containerd: the socket that imagefit passes calls on to.
        config_folder: of imagefit's further configuration files.

    Raises:
        KubeletConfigurationError: another image service is configured, kubelet starts containers elsewhere than
            imagefit brings images to, or a file cannot be changed by imagefit.
    """
    for place in layout.places:
        if not same(place.value, endpoint):
            where = place.path or f"kubelet's command line (--{FLAG})"
            raise KubeletConfigurationError(
                f"{where} names another image service, {place.value}",
                advice="run imagefit uninstall first if imagefit install put it there, else take it out",
            )
    changes = _for_containerd(tree, layout, containerd, config_folder)
    if not layout.places:
        if layout.target is None:
            raise KubeletConfigurationError(layout.why_not, advice=f"add --{FLAG}={endpoint} to its flags; {_BY_HAND}")
        changes.append(_put(tree, layout, layout.target, endpoint))
    return tuple(changes)


def changes_to_undo(tree: Tree, receipt: Receipt, backups: Sequence[bytes | None]) -> tuple[Change, ...]:
    """Return what has to change so that all is as it was; a file that was changed since only loses the setting.

    Args:
        tree: the node.
        receipt: what was done.
        backups: the content of each of its files before.

    Raises:
        KubeletConfigurationError: a file was changed since in a way that hides the setting.
    """
    found = []
    for written, backup in zip(reversed(receipt.files), reversed(backups), strict=True):
        now = tree.read(written.path)
        if now is None or digest(now) == written.before:
            continue
        after = backup if digest(now) == written.after else _without(written, now, receipt.endpoint)
        if after != now:
            found.append(Change(written.path, now, after, written.way, written.variable))
    return tuple(found)


def digest(content: bytes) -> str:
    """Return the SHA-256 of a content, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def _has_unit(tree: Tree) -> bool:
    return read_unit(tree, UNIT) is not None


def _put(tree: Tree, layout: Layout, target: Target, endpoint: str) -> Change:
    before = tree.read(target.path)
    return Change(target.path, before, _with(layout, target, before, endpoint), target.way, target.variable)


def _with(layout: Layout, target: Target, before: bytes | None, endpoint: str) -> bytes:
    """Return the content of the target with the setting."""
    match target.way:
        case Way.KEY:
            return Document(before or b"", target.path).with_key(KEY, endpoint, _AFTER)
        case Way.FLAG:
            return Variables(before or b"", target.path).with_flag(target.variable, f"--{FLAG}={endpoint}")
        case Way.FILE:
            if before is not None:
                raise KubeletConfigurationError(f"{target.path} exists and does not name imagefit", advice="remove it")
            return own_file(endpoint) if layout.kind is not Kind.KUBELET else _drop_in(endpoint)


def _drop_in(endpoint: str) -> bytes:
    kind = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
    return f"# Written by imagefit install; imagefit uninstall removes it.\n{kind}{KEY}: {endpoint}\n".encode()


def _for_containerd(tree: Tree, layout: Layout, containerd: str, config_folder: str) -> list[Change]:
    """Have imagefit find the containerd of k3s or RKE2; any other has to be the one that it was told of."""
    if not layout.runtime or same(layout.runtime, containerd):
        return []
    if not layout.registries or layout.runtime != SOCKET or containerd != DEFAULT_CONTAINERD:
        raise KubeletConfigurationError(
            f"{layout.kind} starts containers by {layout.runtime}, imagefit brings images to {containerd}",
            advice="set [containerd] socket in imagefit's configuration, if that is a containerd",
        )
    name, content = imagefit_file(layout)
    path = f"{config_folder}/{name}"
    if tree.read(path) == content:
        return []
    if tree.exists(path):
        raise KubeletConfigurationError(
            f"{path} exists and does not say [containerd] socket = {SOCKET!r}", advice="mend it"
        )
    return [Change(path, None, content, Way.FILE)]


def _without(written: Written, now: bytes, endpoint: str) -> bytes:
    """Return a file that was changed since without the setting."""
    match written.way:
        case Way.KEY:
            document = Document(now, written.path)
            return document.without_key(KEY) if same(document.value(KEY), endpoint) else now
        case Way.FLAG:
            flag = f"--{FLAG}={endpoint}"
            variables = Variables(now, written.path)
            return variables.without_flag(written.variable, flag) if flag.encode() in now else now
        case Way.FILE:
            raise KubeletConfigurationError(
                f"{written.path} was changed since imagefit wrote it",
                advice="remove what names imagefit, then try again",
            )
