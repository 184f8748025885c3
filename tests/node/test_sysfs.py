"""Devices as sysfs shows them."""

import pytest

from imagefit.node.contract import CannotLookError, NotThereError
from imagefit.node.sysfs import DEVICES_MAX, is_there, list_devices, read_values
from node.conftest import MakeHost


def test_devices_are_listed_by_name(make_host: MakeHost) -> None:
    host = make_host({"/sys/bus/x/devices/b": "", "/sys/bus/x/devices/a": ""})
    assert list_devices(host, "/sys/bus/x/devices", "/sys/bus") == ("a", "b")


def test_a_missing_bus_has_no_device_where_other_buses_are(make_host: MakeHost) -> None:
    assert list_devices(make_host({"/sys/bus/y/z": ""}), "/sys/bus/x/devices", "/sys/bus") == ()


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"/sys/class/net/lo/mtu": ""}, id="no-buses"),
        pytest.param({f"/sys/bus/x/devices/{number}": "" for number in range(DEVICES_MAX + 1)}, id="too-many"),
    ],
)
def test_what_cannot_be_listed_is_not_known(make_host: MakeHost, files: dict[str, str]) -> None:
    with pytest.raises(CannotLookError):
        list_devices(make_host({**files}), "/sys/bus/x/devices", "/sys/bus")


def test_something_is_missing_only_where_it_could_be(make_host: MakeHost) -> None:
    host = make_host({"/sys/devices/a": ""})
    assert is_there(host, "/sys/devices/a", "/sys/devices")
    assert not is_there(host, "/sys/devices/b", "/sys/devices")
    with pytest.raises(NotThereError):
        is_there(host, "/sys/firmware/b", "/sys/firmware")


def test_values_are_read_without_the_space_around_them(make_host: MakeHost) -> None:
    files = {"/sys/d/a": " x y\n", "/sys/d/below/b": "1\n", "/sys/d/c/x": "a directory", "/sys/d/big": "x" * 5000}
    values = read_values(make_host({**files}), "/sys/d", ("a", "below/b", "c", "missing", "big"))
    assert values == {"a": "x y", "b": "1"}
