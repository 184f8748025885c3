"""Nodes as the tools leave them: the files that say how kubelet is started, by their paths."""

from pathlib import Path
from typing import Final

from imagefit.kubelet.endpoint import endpoint_of

ENDPOINT: Final = endpoint_of("/run/imagefit/imagefit.sock")
CONFIG: Final = "/var/lib/kubelet/config.yaml"
FLAGS: Final = "/var/lib/kubelet/kubeadm-flags.env"
UNIT: Final = "/usr/lib/systemd/system/kubelet.service"
KUBEADM: Final = f"{UNIT}.d/10-kubeadm.conf"
NEW: Final = b'\x00json:"imageServiceEndpoint,omitempty"\x00'
OLD: Final = b'\x00json:"containerLogMaxSize,omitempty"\x00image-service-endpoint\x00'

Files = dict[str, bytes]

_UNIT_TEXT: Final = b"[Unit]\nDescription=kubelet\n\n[Service]\nExecStart=/usr/bin/kubelet\nRestart=always\n"
_KUBEADM_TEXT: Final = b"""\
# Note: This dropin only works with kubeadm and kubelet v1.11+
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/b.conf --kubeconfig=/etc/kubernetes/k.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
"""
SETTINGS: Final = b"""\
apiVersion: kubelet.config.k8s.io/v1beta1
authentication:
  anonymous:
    enabled: false
  webhook:
    cacheTTL: 0s
cgroupDriver: systemd
clusterDNS:
- 10.96.0.10
containerRuntimeEndpoint: ""
kind: KubeletConfiguration
logging:
  flushFrequency: 0
nodeStatusReportFrequency: 0s
"""
_ARGUMENTS: Final = (
    b'KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=unix:///var/run/containerd/containerd.sock '
    b'--pod-infra-container-image=registry.k8s.io/pause:3.9"\n'
)


def kubeadm(config: bytes = SETTINGS, program: bytes = NEW, **more: bytes) -> Files:
    """Return a node of kubeadm; further files by the words for them."""
    files = {UNIT: _UNIT_TEXT, KUBEADM: _KUBEADM_TEXT, CONFIG: config, FLAGS: _ARGUMENTS, "/usr/bin/kubelet": program}
    return files | {
        {"flags": FLAGS, "default": "/etc/default/kubelet", "unit": KUBEADM}[name]: content
        for name, content in more.items()
    }


def with_folder(**drop_ins: bytes) -> Files:
    """Return a node of kubeadm whose kubelet reads a folder of drop-ins, too."""
    unit = _KUBEADM_TEXT.replace(b'config.yaml"', b'config.yaml --config-dir=/etc/kubernetes/kubelet.conf.d"')
    return kubeadm(unit=unit) | {f"/etc/kubernetes/kubelet.conf.d/{name}.conf": text for name, text in drop_ins.items()}


def started_by(command: str) -> Files:
    """Return a node with a unit of its own."""
    return {UNIT: f"[Service]\nExecStart={command}\n".encode(), "/usr/bin/kubelet": NEW}


def rancher(kind: str, config: bytes | None = None, **drop_ins: bytes) -> Files:
    """Return a node of k3s or RKE2."""
    unit = f"[Service]\nEnvironmentFile=-/etc/default/%N\nExecStart=/usr/local/bin/{kind} agent\n".encode()
    files = {f"/usr/local/bin/{kind}": b"ELF", f"/etc/systemd/system/{kind}-agent.service": unit}
    if config is not None:
        files[f"/etc/rancher/{kind}/config.yaml"] = config
    return files | {f"/etc/rancher/{kind}/config.yaml.d/{name}.yaml": text for name, text in drop_ins.items()}


MINIMAL: Final = b"kind: KubeletConfiguration\napiVersion: kubelet.config.k8s.io/v1beta1\n"
_OWN_DROP_IN: Final = "/etc/kubernetes/kubelet.conf.d/90-imagefit.conf"
_ENVIRONMENT: Final = b'# flags\nKUBELET_ARGS="--v=2"\nOTHER=1\n'
_BY_FLAGS: Final = started_by("/usr/bin/kubelet --root-dir=/var/lib/kubelet $KUBELET_ARGS") | {
    UNIT: b"[Service]\nEnvironmentFile=/etc/kubernetes/kubelet.env\nExecStart=/usr/bin/kubelet --v=1 $KUBELET_ARGS\n",
    "/etc/kubernetes/kubelet.env": _ENVIRONMENT,
}

LAYOUTS: Final[dict[str, tuple[Files, dict[str, str]]]] = {
    # Each with what install adds: by the path of the file, the line that is new or changed in it.
    "kubeadm-1.26": (kubeadm(program=OLD), {FLAGS: f' --image-service-endpoint={ENDPOINT}"'}),
    "kubeadm-1.30": (kubeadm(), {CONFIG: f"imageServiceEndpoint: {ENDPOINT}\n"}),
    "kubeadm-1.34": (
        kubeadm(flags=b'KUBELET_KUBEADM_ARGS=""\n')
        | {
            "/var/lib/kubelet/instance-config.yaml": b'containerRuntimeEndpoint: "unix:///run/containerd/containerd.sock"\n'
        },
        {CONFIG: f"imageServiceEndpoint: {ENDPOINT}\n"},
    ),
    "kubeadm-1.35-drop-ins": (with_folder(), {_OWN_DROP_IN: f"imageServiceEndpoint: {ENDPOINT}\n"}),
    "drop-ins-of-others": (
        with_folder(**{"10-log": MINIMAL + b"logging: {}\n", "99-last": MINIMAL}),
        {_OWN_DROP_IN: f"imageServiceEndpoint: {ENDPOINT}\n"},
    ),
    "old-with-empty-flags": (
        kubeadm(program=OLD, flags=b"KUBELET_KUBEADM_ARGS=\n"),
        {FLAGS: f"KUBELET_KUBEADM_ARGS=--image-service-endpoint={ENDPOINT}\n"},
    ),
    "old-with-extra-flags": (
        {
            path: text
            for path, text in kubeadm(program=OLD, default=b"KUBELET_EXTRA_ARGS='--v=4'").items()
            if path != FLAGS
        },
        {"/etc/default/kubelet": f"KUBELET_EXTRA_ARGS='--v=4 --image-service-endpoint={ENDPOINT}'"},
    ),
    "flags-only": (_BY_FLAGS, {"/etc/kubernetes/kubelet.env": f'"--v=2 --image-service-endpoint={ENDPOINT}"\n'}),
    "file-alone": ({CONFIG: MINIMAL}, {CONFIG: f"imageServiceEndpoint: {ENDPOINT}\n"}),
    "elsewhere": (
        started_by("/usr/bin/kubelet --config /etc/kubelet.yaml") | {"/etc/kubelet.yaml": MINIMAL},
        {"/etc/kubelet.yaml": f"imageServiceEndpoint: {ENDPOINT}\n"},
    ),
    "comments": (
        kubeadm(b"# first\n# second\nkind: KubeletConfiguration # third\n\n# fourth\napiVersion: v1 # fifth\n# last\n"),
        {CONFIG: f"imageServiceEndpoint: {ENDPOINT}\n"},
    ),
    "crlf": (kubeadm(MINIMAL.replace(b"\n", b"\r\n")), {CONFIG: f"imageServiceEndpoint: {ENDPOINT}\r\n"}),
    "no-newline-at-the-end": (
        kubeadm(b"apiVersion: v1\nkind: KubeletConfiguration"),
        {CONFIG: f"\nimageServiceEndpoint: {ENDPOINT}"},
    ),
    "indented": (
        kubeadm(b"  apiVersion: v1\n  kind: KubeletConfiguration\n  logging:\n    format: text\n"),
        {CONFIG: f"  imageServiceEndpoint: {ENDPOINT}\n"},
    ),
    "document-markers": (kubeadm(b"---\n" + MINIMAL + b"...\n"), {CONFIG: f"imageServiceEndpoint: {ENDPOINT}\n"}),
    "quoted-keys": (
        kubeadm(b"\"kind\": 'KubeletConfiguration'\n'apiVersion': v1\n"),
        {CONFIG: f"imageServiceEndpoint: {ENDPOINT}\n"},
    ),
    "set-to-nothing": (
        kubeadm(MINIMAL + b'imageServiceEndpoint: "" # none\n'),
        {CONFIG: f"imageServiceEndpoint: {ENDPOINT} # none\n"},
    ),
    "set-to-null": (
        kubeadm(b"imageServiceEndpoint:\n" + MINIMAL),
        {CONFIG: f"imageServiceEndpoint: {ENDPOINT}\n"},
    ),
    "text-that-looks-like-the-key": (
        kubeadm(MINIMAL + b"note: |\n  imageServiceEndpoint: x\n"),
        {CONFIG: f"imageServiceEndpoint: {ENDPOINT}\n"},
    ),
    "tags-and-anchors": (
        kubeadm(b"%YAML 1.1\n---\n" + MINIMAL + b"a: !!str 1\nb: &b 2\n"),
        {CONFIG: f"imageServiceEndpoint: {ENDPOINT}\n"},
    ),
    "named-runtime": (
        kubeadm(MINIMAL + b"containerRuntimeEndpoint: unix:///run/crio/crio.sock\n"),  # the flag is stronger
        {CONFIG: f"imageServiceEndpoint: {ENDPOINT}\n"},
    ),
    "k3s-elsewhere": (
        rancher("k3s", b"data-dir: /data/k3s\n"),
        {
            "/etc/rancher/k3s/config.yaml.d/99-imagefit.yaml": f'- "image-service-endpoint={ENDPOINT}"\n',
            "/etc/imagefit/config.d/50-k3s.toml": '"/data/k3s/agent/etc/containerd/config.toml"\n',
        },
    ),
    "k3s-with-the-containerd-of-the-system": (
        rancher("k3s", b"container-runtime-endpoint: /run/containerd/containerd.sock\n"),
        {"/etc/rancher/k3s/config.yaml.d/99-imagefit.yaml": f'- "image-service-endpoint={ENDPOINT}"\n'},
    ),
    "k3s": (
        rancher("k3s", b"# mine\nkubelet-arg:\n- v=2\n"),
        {
            "/etc/rancher/k3s/config.yaml.d/99-imagefit.yaml": f'- "image-service-endpoint={ENDPOINT}"\n',
            "/etc/imagefit/config.d/50-k3s.toml": 'socket = "/run/k3s/containerd/containerd.sock"\n',
        },
    ),
    "rke2": (
        rancher("rke2", **{"10-a": b"kubelet-arg+: [v=2]\n"}),
        {
            "/etc/rancher/rke2/config.yaml.d/99-imagefit.yaml": f'- "image-service-endpoint={ENDPOINT}"\n',
            "/etc/imagefit/config.d/50-rke2.toml": "/var/lib/rancher/rke2/agent/etc/containerd/config.toml",
        },
    ),
}

_OTHER: Final = b"imageServiceEndpoint: unix:///run/other.sock\n"
REFUSED: Final[dict[str, tuple[Files, str]]] = {
    # Each with words of the reason.
    "nothing": ({}, "no kubelet was found"),
    "another-service": (kubeadm(MINIMAL + _OTHER), "names another image service, unix:///run/other.sock"),
    "another-service-in-a-flag": (
        kubeadm(flags=b'KUBELET_KUBEADM_ARGS="--image-service-endpoint=/run/o.sock"\n'),
        f"{FLAGS} names another image service, /run/o.sock",
    ),
    "another-service-in-the-unit": (
        {CONFIG: MINIMAL} | started_by(f"/usr/bin/kubelet --image-service-endpoint /run/o.sock --config {CONFIG}"),
        "kubelet's command line (--image-service-endpoint) names another",
    ),
    "another-service-in-a-drop-in": (
        with_folder(**{"20-x": MINIMAL + _OTHER}),
        "/etc/kubernetes/kubelet.conf.d/20-x.conf names another",
    ),
    "two-places-that-contradict": (
        with_folder(**{"20-x": MINIMAL + _OTHER}) | {CONFIG: MINIMAL + f"imageServiceEndpoint: {ENDPOINT}\n".encode()},
        "names another image service",
    ),
    "own-drop-in-with-something-else": (with_folder(**{"90-imagefit": MINIMAL}), "exists and does not name imagefit"),
    "json": (kubeadm(b'{"kind": "KubeletConfiguration"}\n'), "is written as JSON"),
    "aliases": (kubeadm(MINIMAL + b"a: &x 1\nb: *x\n"), "has aliases"),
    "aliases-within-themselves": (kubeadm(MINIMAL + b"a: &x [*x]\n"), "has aliases"),
    "too-large": (kubeadm(MINIMAL + b"#" * (1 << 15)), "is larger than"),
    "key-twice": (kubeadm(MINIMAL + b"kind: KubeletConfiguration\n"), "has a key twice"),
    "key-twice-below": (kubeadm(MINIMAL + b"a:\n  b: 1\n  b: 2\n"), "has a key twice"),
    "two-documents": (kubeadm(MINIMAL + b"---\n" + MINIMAL), "is not one YAML document"),
    "no-yaml": (kubeadm(b"kind: [\n"), "is not one YAML document"),
    "not-utf-8": (kubeadm(MINIMAL + b"a: \xff\n"), "is not UTF-8"),
    "utf-16": (kubeadm(MINIMAL.decode().encode("utf-16")), "is not UTF-8"),
    "another-runtime-in-a-flag": (
        kubeadm(flags=b"KUBELET_KUBEADM_ARGS=--container-runtime-endpoint=unix:///var/run/crio/crio.sock\n"),
        "kubelet starts containers by unix:///var/run/crio/crio.sock, imagefit brings images to /run/containerd/",
    ),
    "another-runtime-in-the-file": (
        kubeadm(MINIMAL + b"containerRuntimeEndpoint: unix:///run/crio/crio.sock\n", flags=b""),
        "kubelet starts containers by unix:///run/crio/crio.sock",
    ),
    "another-runtime-in-a-drop-in": (
        with_folder(**{"20-x": MINIMAL + b"containerRuntimeEndpoint: unix:///run/crio/crio.sock\n"}) | {FLAGS: b""},
        "kubelet starts containers by unix:///run/crio/crio.sock",
    ),
    "another-service-in-a-folder-of-drop-ins": (
        with_folder(**{"20-x/30-y": MINIMAL + _OTHER}),
        "/etc/kubernetes/kubelet.conf.d/20-x/30-y.conf names another",
    ),
    "service-taken-away-by-a-drop-in": (
        with_folder(**{"99-x": MINIMAL + b'imageServiceEndpoint: ""\n'}),
        "/etc/kubernetes/kubelet.conf.d/99-x.conf sets imageServiceEndpoint to nothing",
    ),
    "empty": (kubeadm(b""), "holds no settings"),
    "a-list": (kubeadm(b"- kind\n"), "holds no settings"),
    "another-kind": (kubeadm(b"kind: KubeProxyConfiguration\n"), "is no KubeletConfiguration"),
    "a-list-of-services": (kubeadm(MINIMAL + b"imageServiceEndpoint: [a]\n"), "has a imageServiceEndpoint already"),
    "file-that-is-not-there": (started_by("/usr/bin/kubelet --config=/etc/none.yaml"), "/etc/none.yaml does not exist"),
    "flags-in-the-unit-alone": (started_by("/usr/bin/kubelet --v=2"), "its unit reads no variable with flags"),
    "flags-in-a-drop-in-alone": (
        started_by("/usr/bin/kubelet")
        | {f"{UNIT}.d/a.conf": b'[Service]\nEnvironment="A=--v=2"\nExecStart=\nExecStart=/usr/bin/kubelet $A\n'},
        "its unit reads no variable with flags",
    ),
    "old-without-flags": (
        {path: text for path, text in kubeadm(program=OLD).items() if path != FLAGS},
        "is older than 1.27 and does not know imageServiceEndpoint",
    ),
    "flags-with-quotes-within": (
        kubeadm(program=OLD, flags=b"KUBELET_KUBEADM_ARGS=\"--a='b' --c\"\n"),
        "once, in a way that is understood",
    ),
    "flags-twice": (
        kubeadm(program=OLD, flags=b"KUBELET_KUBEADM_ARGS=--a\nKUBELET_KUBEADM_ARGS=--b\n"),
        "does not have KUBELET_KUBEADM_ARGS once",
    ),
    "flags-that-go-on": (
        kubeadm(program=OLD, flags=b"KUBELET_KUBEADM_ARGS=--a \\\n--b\n"),
        "has a line that goes on in the next one",
    ),
    "k3s-and-kubelet": (kubeadm() | rancher("k3s"), "this node has k3s and kubelet.service"),
    "k3s-and-rke2": (rancher("k3s") | rancher("rke2"), "this node has k3s and rke2"),
    "k3s-another-service": (rancher("k3s", b"image-service-endpoint: /run/o.sock\n"), "names another image service"),
    "k3s-another-service-in-a-flag": (
        rancher("k3s", b'kubelet-arg: ["image-service-endpoint=/run/o.sock"]\n'),
        "names another image service",
    ),
    "k3s-later-flags": (rancher("k3s", **{"99-z": b"kubelet-arg: [v=2]\n"}), "stands in place of it"),
    "k3s-config-elsewhere": (
        rancher("k3s") | {"/etc/systemd/system/k3s.service": b"[Service]\nExecStart=/bin/k3s server --config /x\n"},
        "has --config, which is not looked at",
    ),
    "k3s-data-elsewhere": (
        rancher("k3s") | {"/etc/systemd/system/k3s.service": b"[Service]\nExecStart=/bin/k3s server --data-dir /x\n"},
        "has --data-dir, which is not looked at",
    ),
    "k3s-with-docker": (rancher("k3s", b"docker: true\n"), "names Docker"),
    "k3s-with-another-runtime": (
        rancher("k3s", b"container-runtime-endpoint: unix:///run/crio/crio.sock\n"),
        "k3s starts containers by unix:///run/crio/crio.sock",
    ),
    "k3s-broken": (rancher("k3s", b"a: [\n"), "is not one YAML document"),
    "k3s-own-imagefit-file": (
        rancher("k3s") | {"/etc/imagefit/config.d/50-k3s.toml": b""},
        "exists and does not say [containerd] socket",
    ),
}


class MemoryTree:
    """A node whose files are in memory."""

    def __init__(self, files: Files) -> None:
        self.files = dict(files)

    def read(self, path: str) -> bytes | None:
        return self.files.get(path)

    def names(self, folder: str) -> list[str]:
        below = (Path(path).relative_to(folder).parts for path in self.files if path.startswith(f"{folder}/"))
        return sorted({parts[0] for parts in below})

    def exists(self, path: str) -> bool:
        return any(Path(one).is_relative_to(path) for one in self.files)

    def holds(self, path: str, text: bytes) -> bool | None:
        return text in self.files[path] if path in self.files else None
