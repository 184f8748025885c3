"""Sockets and hardware threads."""

import pytest

from imagefit.node.contract import CannotLookError
from imagefit.node.detectors.cpu_topology import TopologyDetector, describe
from node.conftest import MakeHost

_CPUS = "/sys/bus/cpu/devices"


@pytest.mark.parametrize(
    ("siblings", "packages", "threads", "sockets"),
    [
        pytest.param(["0\n", "1\n"], ["0\n", "0\n"], "false", "1", id="cores"),
        pytest.param(["0,64\n"], ["0\n", "1\n"], "true", "2", id="two-threads-far-apart"),
        pytest.param(["0\n", "1-2\n"], ["0\n"], "true", "1", id="neighbours-on-some-cores"),
        pytest.param(["0-3\n"], ["0", "8"], "true", "2", id="sockets-with-gaps"),
        pytest.param(["0\n"], ["-1\n", "-1\n"], "false", "1", id="firmware-names-no-socket"),
        pytest.param([], ["0\n"], "false", "1", id="no-lists"),
        pytest.param(["\0?"], ["x"], "false", "1", id="nonsense"),
    ],
)
def test_threads_share_a_core_and_sockets_are_counted(
    siblings: list[str], packages: list[str], threads: str, sockets: str
) -> None:
    assert describe(siblings, packages) == {"hardware_multithreading": threads, "socket_count": sockets}


def test_a_cpu_that_is_offline_is_left_out(make_host: MakeHost) -> None:
    files = {
        f"{_CPUS}/cpu0/topology/thread_siblings_list": "0,2\n",
        f"{_CPUS}/cpu0/topology/physical_package_id": "0\n",
        f"{_CPUS}/cpu1/online": "0\n",
        f"{_CPUS}/cpu2/topology/thread_siblings_list": "0,2\n",
        f"{_CPUS}/cpu2/topology/physical_package_id": "1\n",
    }
    found = TopologyDetector().detect(make_host({**files})).attributes
    assert found == {"cpu.topology": {"hardware_multithreading": "true", "socket_count": "2"}}


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({}, id="no-sysfs"),
        pytest.param({"/sys/bus/cpu/x": ""}, id="no-cpus"),
        pytest.param({f"{_CPUS}/cpu0/online": "1\n"}, id="no-topology"),
        pytest.param({f"{_CPUS}/cpu0/topology/physical_package_id/x": ""}, id="unreadable"),
        pytest.param({f"{_CPUS}/cpu0/topology/physical_package_id": "0" * 5000}, id="too-large"),
    ],
)
def test_what_cannot_be_read_is_not_known(make_host: MakeHost, files: dict[str, str]) -> None:
    with pytest.raises(CannotLookError):
        TopologyDetector().detect(make_host({**files}))
