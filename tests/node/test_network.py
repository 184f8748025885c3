"""Network devices."""

import pytest

from imagefit.node.contract import CannotLookError
from imagefit.node.detectors.network import NetworkDetector
from node.conftest import MakeHost

_CLASS = "/sys/class/net"


def test_devices_of_hardware_and_others_are_told_apart(make_host: MakeHost) -> None:
    files = {
        f"{_CLASS}/eth1/operstate": "up\n",
        f"{_CLASS}/eth1/speed": "25000\n",
        f"{_CLASS}/eth1/device/sriov_numvfs": "0\n",
        f"{_CLASS}/eth1/device/sriov_totalvfs": "8\n",
        f"{_CLASS}/eth0/device/uevent": "",
        f"{_CLASS}/eth0/operstate": "down\n",
        f"{_CLASS}/lo/operstate": "unknown\n",
        f"{_CLASS}/lo/address": "00:00:00:00:00:00\n",
        f"{_CLASS}/veth0/speed": "10000\n",
    }
    assert NetworkDetector().detect(make_host({**files})).instances == {
        "network.device": (
            {"name": "eth0", "operstate": "down"},
            {"name": "eth1", "operstate": "up", "speed": "25000", "sriov_numvfs": "0", "sriov_totalvfs": "8"},
        ),
        "network.virtual": ({"name": "lo", "operstate": "unknown"}, {"name": "veth0", "speed": "10000"}),
    }


def test_a_file_of_the_bonding_driver_is_no_device(make_host: MakeHost) -> None:
    found = NetworkDetector().detect(make_host({f"{_CLASS}/bonding_masters": "bond0\n"})).instances
    assert found == {"network.device": (), "network.virtual": ()}


def test_a_value_that_cannot_be_read_is_left_out(make_host: MakeHost) -> None:
    found = NetworkDetector().detect(make_host({f"{_CLASS}/eth0/speed/x": "", f"{_CLASS}/eth0/device": ""})).instances
    assert found["network.device"] == ({"name": "eth0"},)


def test_a_machine_without_the_class_is_known_to_have_none(make_host: MakeHost) -> None:
    found = NetworkDetector().detect(make_host({"/sys/class/x/y": ""})).instances
    assert found == {"network.device": (), "network.virtual": ()}


@pytest.mark.parametrize("files", [{}, {"/sys/bus/x": ""}], ids=["no-sysfs", "no-classes"])
def test_without_classes_nothing_is_known(make_host: MakeHost, files: dict[str, str]) -> None:
    with pytest.raises(CannotLookError):
        NetworkDetector().detect(make_host({**files}))
