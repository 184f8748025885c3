"""RDMA devices."""

import pytest

from imagefit.node.contract import CannotLookError
from imagefit.node.detectors.rdma import RdmaDetector, describe
from node.conftest import MakeHost

_VALUES = {"node_type": "1: CA\n", "fw_ver": "28.39.1002\n", "board_id": "MT_0000000838\n", "hca_type": "MT4129\n"}
_PORT = {"link_layer": "InfiniBand\n", "state": "4: ACTIVE\n", "rate": "400 Gb/sec (4X NDR)\n"}
_DOWN = {"link_layer": "Ethernet\n", "state": "1: DOWN\n", "rate": "2.5 Gb/sec (1X SDR)\n"}
_CLASS = "/sys/class/infiniband"


def test_a_device_is_what_its_files_say_without_the_kernels_numbers() -> None:
    assert describe("mlx5_0", _VALUES, [_PORT], ["ibs1"]) == {
        "name": "mlx5_0",
        "node_type": "CA",
        "fw_ver": "28.39.1002",
        "board_id": "MT_0000000838",
        "hca_type": "MT4129",
        "link_layer": "InfiniBand",
        "state": "ACTIVE",
        "rate": "400 Gb/sec (4X NDR)",
        "rate_gbps": "400",
        "net": "ibs1",
        "ports": "1",
    }


@pytest.mark.parametrize(
    ("ports", "state", "gigabits", "count"),
    [
        pytest.param([_DOWN, _PORT], "ACTIVE", "400", "2", id="the-first-active-one"),
        pytest.param([_DOWN, _DOWN], "DOWN", "2.5", "2", id="none-is-active"),
        pytest.param([], None, None, "0", id="no-ports"),
        pytest.param([{"state": "4: ACTIVE"}], "ACTIVE", None, "1", id="no-rate"),
        pytest.param([{"state": "\n", "rate": "fast"}], None, None, "1", id="nonsense"),
    ],
)
def test_one_port_stands_for_all(
    ports: list[dict[str, str]], state: str | None, gigabits: str | None, count: str
) -> None:
    device = describe("x", {}, ports, [])
    assert (device.get("state"), device.get("rate_gbps"), device["ports"]) == (state, gigabits, count)
    assert "" not in device.values()


def test_devices_come_in_the_order_of_their_names(make_host: MakeHost) -> None:
    files: dict[str, str | bytes] = {f"{_CLASS}/mlx5_1/{name}": value for name, value in _VALUES.items()}
    files |= {f"{_CLASS}/mlx5_1/ports/1/{name}": value for name, value in _DOWN.items()}
    files |= {f"{_CLASS}/mlx5_1/ports/2/{name}": value for name, value in _PORT.items()}
    files |= {f"{_CLASS}/mlx5_1/device/net/{name}/mtu": "1500" for name in ("eth1", "eth0")}
    files |= {f"{_CLASS}/bnxt_re0/hca_type": "0x1750\n", f"{_CLASS}/bnxt_re0/ports/1/rate/x": "a directory"}
    first, second = RdmaDetector().detect(make_host(files)).instances["rdma.device"]
    assert first == {"name": "bnxt_re0", "hca_type": "0x1750", "ports": "1"}
    assert (second["name"], second["state"], second["net"], second["ports"]) == ("mlx5_1", "ACTIVE", "eth0", "2")


def test_a_host_without_drivers_is_known_to_have_no_device(make_host: MakeHost) -> None:
    assert RdmaDetector().detect(make_host({"/sys/class/net/lo": ""})).instances == {"rdma.device": ()}


@pytest.mark.parametrize("files", [{}, {"/sys": "no directory"}, {"/sys/kernel/x": ""}])
def test_without_the_classes_nothing_is_known(make_host: MakeHost, files: dict[str, str | bytes]) -> None:
    with pytest.raises(CannotLookError):
        RdmaDetector().detect(make_host(files))
