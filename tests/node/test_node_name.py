"""The node's name."""

import pytest

from imagefit.node.contract import CannotLookError, HostView
from imagefit.node.detectors.node_name import NodeNameDetector, parse_hostname
from node.conftest import MakeHost

_KERNEL = "/proc/sys/kernel/hostname"
_STATIC = "/etc/hostname"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("worker-1\n", "worker-1", id="plain"),
        pytest.param("# by hand\n\n  Worker-1.Example.COM \nother\n", "worker-1.example.com", id="comments-and-case"),
        pytest.param("(none)\n", "", id="never-set"),
        pytest.param("# nothing\n", "", id="comment-only"),
        pytest.param("", "", id="empty"),
    ],
)
def test_the_name_is_the_first_line_as_kubernetes_writes_it(text: str, name: str) -> None:
    assert parse_hostname(text) == name


@pytest.mark.parametrize(
    ("files", "name"),
    [
        pytest.param({_STATIC: "node\n", _KERNEL: "pod-x7\n"}, "node", id="the-kernel-names-our-own-container"),
        pytest.param({_KERNEL: "node\n"}, "node", id="kernel-only"),
        pytest.param({_STATIC: "\n", _KERNEL: "node\n"}, "node", id="an-empty-file"),
        pytest.param({f"{_STATIC}/x": "", _KERNEL: "node\n"}, "node", id="unreadable"),
    ],
)
def test_below_a_moved_root_the_file_comes_first(make_host: MakeHost, files: dict[str, str], name: str) -> None:
    assert NodeNameDetector().detect(make_host({**files})).attributes == {"system.name": {"nodename": name}}


class _RunningMachine(HostView):
    """The running machine, with a name of its own."""

    def read_bytes(self, path: str, limit_bytes: int = 0) -> bytes:
        return {_STATIC: b"image-default\n", _KERNEL: b"by-dhcp\n"}[path]


def test_on_the_running_machine_the_kernel_comes_first() -> None:
    assert NodeNameDetector().detect(_RunningMachine()).attributes == {"system.name": {"nodename": "by-dhcp"}}


@pytest.mark.parametrize("files", [{}, {_STATIC: "#\n", _KERNEL: "(none)\n"}], ids=["nothing", "no-name"])
def test_without_a_name_nothing_is_known(make_host: MakeHost, files: dict[str, str]) -> None:
    with pytest.raises(CannotLookError):
        NodeNameDetector().detect(make_host({**files}))
