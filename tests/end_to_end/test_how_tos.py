"""Every command of the how-to pages, run in their order against a daemon, a registry and a containerd that are real.

What a test machine has no service for is stood in for: systemctl reloads or restarts the test's daemon, journalctl
prints its log, kubectl prints what kubelet was told, cosign and oras are the harness's, and kubelet's settings are a
folder. Paths, names and ports of the pages become the test's own.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from end_to_end.conftest import Start, failure
from harness.containerd import Containerd
from harness.cri import CriClient
from harness.daemon import Daemon
from harness.images import HOST_ARCHITECTURE, push_image, push_index
from harness.process import free_port
from harness.registry import Registry
from kubelet.trees import kubeadm

HOW_TOS = Path(__file__).parents[2] / "docs" / "how-to"
BLOCK = re.compile(r"^```(?P<kind>sh|text|toml)(?: file=(?P<file>\S+))?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
IMAGE = "registry.example.org/team-a/solver:1.0"
FITS, FAILS = {"oci.kernel.version": ">=2.6"}, {"oci.kernel.version": "<2.6"}
# explain ends with 1 where no build fits, which is what the pages are about.
STAND_INS = """
imagefit() {{
  case "$1" in install|uninstall) set -- "$@" --root {root}/node;; esac
  {python} -m imagefit.cli.main --config {config} "$@" || [[ $? == 1 ]]
}}
systemctl() {{ kill -HUP {pid}; }}
journalctl() {{ cat {log}; }}
kubectl() {{ cat {event}; }}
cosign() {{ PYTHONPATH={tests} {python} -m harness.cosign cosign "$@"; }}
oras() {{ PYTHONPATH={tests} {python} -m harness.cosign oras "$@"; }}
curl() {{ {python} -c 'import sys, urllib.request as r; print(r.urlopen(sys.argv[-1]).read().decode())' "$@"; }}
"""


@dataclass(frozen=True, slots=True)
class Node:
    """What the pages talk about: a node with a daemon that has refused one pull."""

    daemon: Daemon
    registry: Registry
    port: int

    def own(self, text: str) -> str:
        """Return a page's text with the test's own places."""
        for page, ours in (
            ("/run/imagefit/imagefit.sock", str(self.daemon.socket)),
            ("/etc/imagefit", str(self.daemon.root)),
            ("registry.example.org", self.registry.address),
            ("127.0.0.1:9477", f"127.0.0.1:{self.port}"),
        ):
            text = text.replace(page, ours)
        return text

    def run(self, commands: str) -> str:
        """Run a block of commands; the first one that fails ends it and the test."""
        stand_ins = STAND_INS.format(
            python=sys.executable,
            tests=Path(__file__).parents[1],
            config=self.daemon.config_file,
            pid=self.daemon.pid,
            root=self.daemon.root,
            log=self.daemon.root / "imagefit.log",
            event=self.daemon.root / "event",
        )
        script = f"set -eo pipefail\n{stand_ins}\n{self.own(commands)}"
        ended = subprocess.run(
            ("bash", "-c", script), cwd=self.daemon.root, capture_output=True, text=True, timeout=120, check=False
        )
        assert ended.returncode == 0, f"{commands}\n{ended.stdout}\n{ended.stderr}"
        assert "Traceback" not in ended.stderr
        return ended.stdout


@pytest.fixture
def node(start: Start, registry: Registry, containerd: Containerd) -> Iterator[Node]:
    """A daemon that serves metrics and has refused the image of the pages."""
    port = free_port()
    daemon = start(f'[metrics]\nlisten = "127.0.0.1:{port}"\n')
    node = Node(daemon, registry, port)
    unfit = push_image(registry, "team-a/solver", None, "unfit")
    unfit["platform"]["compatibilities"] = [FAILS]
    other = push_image(registry, "team-a/solver", None, "other", architecture="s390x")
    push_index(registry, "team-a/solver", "1.0", [unfit, other])
    builds = [push_image(registry, "hpc/app", None, one, architecture=one) for one in (HOST_ARCHITECTURE, "s390x")]
    push_index(registry, "hpc/app", "1.0", builds)
    flags = f'KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=unix://{containerd.socket}"\n'
    for path, content in kubeadm(flags=flags.encode()).items():
        file = daemon.root / "node" / path.removeprefix("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    with CriClient(daemon.socket) as client:
        ended = failure(client, node.own(IMAGE))
        assert isinstance(ended, tuple)
        (daemon.root / "event").write_text(f"  Warning  Failed  kubelet  {ended[1]}\n")
        yield node


@pytest.mark.parametrize("page", sorted(HOW_TOS.glob("*.md")), ids=lambda page: page.stem)
def test_every_command_of_a_page_works_and_says_what_the_page_says(node: Node, page: Path) -> None:
    output = ""
    blocks = list(BLOCK.finditer(page.read_text()))
    assert len(blocks) == page.read_text().count("\n```") // 2
    for block in blocks:
        if block["kind"] == "sh":
            output = node.run(block["text"])
        elif block["kind"] == "text":
            for line in node.own(block["text"]).splitlines():
                assert re.search(".*".join(map(re.escape, line.split("…"))), output), f"{line}\n{output}"
        else:
            file = Path(node.own(block["file"]))
            file.parent.mkdir(exist_ok=True)
            file.write_text(node.own(block["text"]))
