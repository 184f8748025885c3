"""Where k3s and RKE2 get kubelet's flags from.

Knows their files: ``config.yaml``, then ``config.yaml.d`` in the order of names, where a later list stands in place of
an earlier one unless its key ends with ``+``. A list of kubelet's flags is what both take, in every version that has
the folder; k3s' own key ``image-service-endpoint`` is unknown to RKE2. Sources: k3s' ``pkg/configfilearg/parser.go``,
RKE2's ``pkg/cli/cmds/agent.go``.
"""

from typing import Final

from imagefit.errors import KubeletConfigurationError
from imagefit.kubelet.document import Document
from imagefit.kubelet.endpoint import FLAG, RUNTIME_FLAG
from imagefit.kubelet.layout import Kind, Layout, Place, Target, Way
from imagefit.kubelet.tree import Tree
from imagefit.kubelet.units import read_unit

SOCKET: Final = "/run/k3s/containerd/containerd.sock"
"""Where the containerd of both listens."""
_FLAGS: Final = "kubelet-arg"
_DATA: Final = "data-dir"
_TRUE: Final = ("true", "True", "1")
_OWN: Final = "99-imagefit.yaml"
_MARKS: Final = {
    Kind.K3S: ("/etc/rancher/k3s/config.yaml", "/usr/local/bin/k3s", "/usr/bin/k3s", "/var/lib/rancher/k3s/agent"),
    Kind.RKE2: (
        *("/etc/rancher/rke2/config.yaml", "/usr/local/bin/rke2", "/usr/bin/rke2", "/opt/rke2/bin/rke2"),
        "/var/lib/rancher/rke2/agent",
    ),
}
_UNITS: Final = {
    Kind.K3S: ("k3s.service", "k3s-agent.service"),
    Kind.RKE2: ("rke2-server.service", "rke2-agent.service"),
}
_ELSEWHERE: Final = ("--config", "_CONFIG_FILE=", FLAG, RUNTIME_FLAG, f"--{_DATA}", "_DATA_DIR=")
_BY_HAND: Final = "see docs/how-to/install.md for a change by hand"


def found_kinds(tree: Tree) -> list[Kind]:
    """Return which of the two are on this node."""
    return [kind for kind, marks in _MARKS.items() if any(tree.exists(mark) for mark in marks)]


def rancher_layout(tree: Tree, kind: Kind) -> Layout:
    """Return where kubelet's flags come from.

    Raises:
        KubeletConfigurationError: a file is not understood, or stands after the one that imagefit would write.
    """
    folder = f"/etc/rancher/{kind}"
    drop_ins = [name for name in tree.names(f"{folder}/config.yaml.d") if name.endswith((".yaml", ".yml"))]
    paths = [f"{folder}/config.yaml", *(f"{folder}/config.yaml.d/{name}" for name in drop_ins)]
    places: list[Place] = []
    runtime, data = SOCKET, f"/var/lib/rancher/{kind}"
    for path in paths:
        content = tree.read(path)
        if content is None or not content.strip():
            continue
        document = Document(content, path)
        if path > f"{folder}/config.yaml.d/{_OWN}" and document.has(_FLAGS):
            raise KubeletConfigurationError(
                f"{path} comes after {_OWN}, and its {_FLAGS} stands in place of it",
                advice=f"write {_FLAGS}+ there, so that it adds to the flags before it",
            )
        flags = [*document.values(_FLAGS), *document.values(f"{_FLAGS}+")]
        values = [flag.partition("=")[2] for flag in flags if flag.removeprefix("--").startswith(f"{FLAG}=")]
        places += [Place(path, value) for value in (*values, document.value(FLAG)) if value]
        runtime, data = document.value(RUNTIME_FLAG) or runtime, document.value(_DATA) or data
        if document.value("docker") in _TRUE:
            raise KubeletConfigurationError(f"{path} names Docker", advice="imagefit stands before containerd only")
    _check_units(tree, kind)
    target = Target(Way.FILE, f"{folder}/config.yaml.d/{_OWN}")
    registries = f"{data}/agent/etc/containerd/config.toml"
    return Layout(kind, tuple(places), target, _UNITS[kind], runtime=runtime, registries=registries)


def own_file(endpoint: str) -> bytes:
    """Return the content of the file that has kubelet ask imagefit."""
    return (
        f'# Written by imagefit install; imagefit uninstall removes it.\n{_FLAGS}+:\n- "{FLAG}={endpoint}"\n'.encode()
    )


def imagefit_file(layout: Layout) -> tuple[str, bytes]:
    """Return name and content of the file that has imagefit find this containerd and its registries."""
    text = f'[containerd]\nsocket = "{SOCKET}"\n\n[registry]\ncontainerd-config = "{layout.registries}"\n'
    return f"50-{layout.kind}.toml", f"# Written by imagefit install; imagefit uninstall removes it.\n{text}".encode()


def _check_units(tree: Tree, kind: Kind) -> None:
    """Refuse command lines that say where other settings are: those are not looked at."""
    for name in _UNITS[kind]:
        unit = read_unit(tree, name)
        for path in (*unit.files, *unit.environment_files) if unit else ():
            text = (tree.read(path) or b"").decode(errors="replace")
            if found := next((one for one in _ELSEWHERE if one in text), None):
                raise KubeletConfigurationError(f"{path} has {found}, which is not looked at", advice=_BY_HAND)
