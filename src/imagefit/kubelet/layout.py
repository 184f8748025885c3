"""Where kubelet gets its settings on this node, and what they say of its image service.

Knows kubelet's order: its file, then the drop-ins in the order of their names, then flags, the last one wins. Leaves
k3s and RKE2 to ``rancher`` and what has to change to ``planning``. Sources: Kubernetes'
``cmd/kubelet/app/server.go`` (``loadConfigFile``, ``mergeKubeletConfigurations``, ``kubeletConfigFlagPrecedence``) and
kubeadm's ``10-kubeadm.conf``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from imagefit.errors import KubeletConfigurationError
from imagefit.kubelet.document import Document
from imagefit.kubelet.endpoint import FLAG, KEY, RUNTIME_FLAG, RUNTIME_KEY
from imagefit.kubelet.tree import Tree
from imagefit.kubelet.units import Unit, read_unit
from imagefit.kubelet.variables import Variables, flag_of, words_of

UNIT: Final = "kubelet.service"
_KUBEADM_FILE: Final = "/var/lib/kubelet/config.yaml"
_PROGRAMS: Final = ("/usr/bin/kubelet", "/usr/local/bin/kubelet", "/opt/bin/kubelet")
_KIND: Final = "KubeletConfiguration"
# What every kubelet's code holds that knows the key, from Kubernetes 1.27 on: the tag of the field in its Go structure.
_KNOWS: Final = f'json:"{KEY}'.encode()
_BY_HAND: Final = "see docs/how-to/install.md for a change by hand"


class Kind(StrEnum):
    """Who starts kubelet."""

    KUBELET = "kubelet"
    K3S = "k3s"
    RKE2 = "rke2"


class Way(StrEnum):
    """How a setting is written."""

    KEY = "key"
    """A key of kubelet's own file."""
    FLAG = "flag"
    """A flag in a variable of an environment file."""
    FILE = "file"
    """A file that holds this setting alone."""


@dataclass(frozen=True, slots=True)
class Place:
    """One place that names an image service.

    Attributes:
        path: of the file; empty where it is a flag of a process or of a unit.
        value: the endpoint.
        variable: of the environment file that has the flag; empty for a file of settings.
    """

    path: str
    value: str
    variable: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the setting is put.

    Attributes:
        way: how it is written there.
        path: of the file.
        variable: of an environment file; else empty.
    """

    way: Way
    path: str
    variable: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where kubelet gets its settings.

    Attributes:
        kind: who starts kubelet.
        places: what names an image service, the weakest first.
        target: where the setting is put; None where there is no place that imagefit may write to.
        units: the services to restart, of which one is there.
        why_not: what keeps it from having a target.
        runtime: where containers are started; empty where nothing says so, and kubelet takes its default.
        registries: the configuration of k3s' or RKE2's own containerd; else empty.
    """

    kind: Kind
    places: tuple[Place, ...]
    target: Target | None
    units: tuple[str, ...]
    why_not: str = ""
    runtime: str = ""
    registries: str = ""


def kubelet_layout(tree: Tree, running: Sequence[Sequence[str]]) -> Layout:
    """Return where a kubelet that nobody else starts gets its settings.

    Args:
        tree: the node.
        running: the command lines of the kubelets that run.

    Raises:
        KubeletConfigurationError: there is none, or what there is contradicts itself or is not understood.
    """
    unit = read_unit(tree, UNIT)
    words = _words(unit, running)
    config = flag_of(words, "config") or (_KUBEADM_FILE if not words and tree.exists(_KUBEADM_FILE) else "")
    folder = flag_of(words, "config-dir") or ""
    if relative := next((one for one in (config, folder) if one and not one.startswith("/")), ""):
        raise KubeletConfigurationError(f"kubelet is told a relative path, {relative!r}", advice=_BY_HAND)
    if not config and not words:
        raise KubeletConfigurationError(
            f"no kubelet was found: no {UNIT} with a command line, none that runs, no {_KUBEADM_FILE}", advice=_BY_HAND
        )
    documents = [(config, _settings(tree, config))] if config else []
    documents += [(path, _drop_in(tree, path)) for path in _drop_ins(tree, folder)] if folder else []
    places = [Place(path, value) for path, one in documents if (value := one.value(KEY))]
    places += _flags(tree, unit, words)
    runtimes = [value for _, one in documents if (value := one.value(RUNTIME_KEY))]
    target, why_not = _target(tree, unit, words, config, folder)
    runtime = flag_of(words, RUNTIME_FLAG) or next(reversed(runtimes), "")
    return Layout(Kind.KUBELET, tuple(places), target, (UNIT,), why_not, runtime)


def _words(unit: Unit | None, running: Sequence[Sequence[str]]) -> list[str]:
    """Return the command line of the next start: the unit's, or without a unit that of the kubelet that runs."""
    configs = {flag_of(list(words), "config") or "" for words in running}
    if len(configs) > 1:
        raise KubeletConfigurationError("several kubelets run with files of their own", advice=_BY_HAND)
    if unit is None or not unit.words:
        return list(running[0]) if running else []
    stated = flag_of(list(unit.words), "config") or ""
    if configs and stated not in configs:
        raise KubeletConfigurationError(
            f"the kubelet that runs has --config {configs.pop()!r}, its unit says {stated!r}",
            advice=f"restart kubelet if its unit was changed; if it runs a script, {_BY_HAND}",
        )
    return list(unit.words)


def _settings(tree: Tree, path: str) -> Document:
    content = tree.read(path)
    if content is None:
        raise KubeletConfigurationError(f"{path} does not exist, and kubelet is told to read it", advice=_BY_HAND)
    document = Document(content, path)
    if document.value("kind") != _KIND:
        raise KubeletConfigurationError(f"{path} is no {_KIND}", advice=_BY_HAND)
    return document


def _drop_ins(tree: Tree, folder: str) -> Iterator[str]:
    """Yield the drop-ins of a folder and of those in it, in kubelet's order."""
    for name in tree.names(folder):
        path = f"{folder}/{name}"
        if tree.names(path):
            yield from _drop_ins(tree, path)
        elif name.endswith(".conf"):
            yield path


def _drop_in(tree: Tree, path: str) -> Document:
    document = _settings(tree, path)
    if document.has(KEY) and not document.value(KEY):
        raise KubeletConfigurationError(f"{path} sets {KEY} to nothing", advice="take it out there")
    return document


def _flags(tree: Tree, unit: Unit | None, words: list[str]) -> list[Place]:
    """Return where a flag names an image service: the variable that has it, or nothing better than that it is there."""
    value = flag_of(words, FLAG)
    if value is None:
        return []
    for path in unit.environment_files if unit else ():
        variables = Variables(tree.read(path) or b"", path).all()
        for variable, flags in variables.items():
            if flag_of(words_of(flags), FLAG) == value:
                return [Place(path, value, variable)]
    return [Place("", value)]


def _target(tree: Tree, unit: Unit | None, words: list[str], config: str, folder: str) -> tuple[Target | None, str]:
    """Return where the setting is put: as near to kubelet's own files as this kubelet understands."""
    program = words[0] if words and words[0].startswith("/") else ""
    knows = next(
        (found for one in (program, *_PROGRAMS) if one and (found := tree.holds(one, _KNOWS)) is not None), True
    )
    if knows and folder:
        return Target(Way.FILE, f"{folder}/90-imagefit.conf"), ""
    if knows and config:
        return Target(Way.KEY, config), ""
    for path in unit.environment_files if unit else ():
        content = tree.read(path)
        names = Variables(content, path).all() if content else {}
        if variable := next((name for name in names if unit and name in unit.used), ""):
            return Target(Way.FLAG, path, variable), ""
    what = "has no configuration file" if knows else f"is older than 1.27 and does not know {KEY}"
    return None, f"this kubelet {what}, and its unit reads no variable with flags from a file"
