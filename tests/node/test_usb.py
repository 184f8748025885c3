"""USB devices."""

import pytest

from imagefit.node.contract import CannotLookError
from imagefit.node.detectors.usb import UsbDetector, by_class, interfaces_of, parse_device
from node.conftest import MakeHost

_BUS = "/sys/bus/usb/devices"


def _device(name: str, **values: str) -> dict[str, str | bytes]:
    return {f"{_BUS}/{name}/{file}": f"{value}\n" for file, value in values.items()}


def test_files_have_nfds_names() -> None:
    values = {"bDeviceClass": "ff", "idVendor": "1a6e", "idProduct": "089a", "serial": "0001", "speed": "480"}
    assert parse_device(values) == {"class": "ff", "vendor": "1a6e", "device": "089a", "serial": "0001"}
    assert parse_device({"bDeviceClass": "ff", "serial": ""}) == {"class": "ff"}


def test_interfaces_stand_beside_their_device() -> None:
    names = ("1-0:1.0", "1-1", "1-1.4", "1-1.4:1.0", "1-1:1.0", "1-1:1.1", "usb1")
    assert interfaces_of(names) == {
        "1-0": ("1-0:1.0",),
        "1-1": ("1-1:1.0", "1-1:1.1"),
        "1-1.4": ("1-1.4:1.0",),
        "usb1": (),
    }


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        pytest.param(["03"], ["03"], id="one"),
        pytest.param(["0e", "01", "0e"], ["0e", "01"], id="each-once"),
        pytest.param(["", "03"], ["03"], id="one-unreadable"),
        pytest.param([], [], id="not-configured"),
    ],
)
def test_a_device_is_an_instance_per_class(classes: list[str], expected: list[str]) -> None:
    assert list(by_class({"class": "00", "vendor": "x"}, classes)) == [{"class": c, "vendor": "x"} for c in expected]


def test_devices_are_read_with_their_interfaces(make_host: MakeHost) -> None:
    files = _device("usb1", bDeviceClass="09", idVendor="1d6b", idProduct="0002", serial="0000:00:14.0")
    files |= _device("1-0:1.0", bInterfaceClass="09")
    files |= _device("1-1", bDeviceClass="00", idVendor="046d", idProduct="c52b")
    files |= _device("1-1:1.0", bInterfaceClass="03") | _device("1-1:1.1", bInterfaceClass="03")
    files |= _device("1-1:1.2", bInterfaceClass="fe") | _device("1-2", bDeviceClass="00", idProduct="1")
    assert UsbDetector().detect(make_host(files)).instances["usb.device"] == (
        {"class": "03", "vendor": "046d", "device": "c52b"},
        {"class": "fe", "vendor": "046d", "device": "c52b"},
        {"class": "09", "vendor": "1d6b", "device": "0002", "serial": "0000:00:14.0"},
    )


def test_what_says_nothing_of_itself_is_left_out(make_host: MakeHost) -> None:
    files = {f"{_BUS}/1-3/idProduct/x": "a directory", f"{_BUS}/:/x": "", f"{_BUS}/2-1": "no directory"}
    assert UsbDetector().detect(make_host({**files})).instances == {"usb.device": ()}


def test_a_machine_without_the_bus_is_known_to_have_none(make_host: MakeHost) -> None:
    assert UsbDetector().detect(make_host({"/sys/bus/pci/x": ""})).instances == {"usb.device": ()}


@pytest.mark.parametrize("files", [{}, {"/sys/class/x": ""}], ids=["no-sysfs", "no-buses"])
def test_without_buses_nothing_is_known(make_host: MakeHost, files: dict[str, str]) -> None:
    with pytest.raises(CannotLookError):
        UsbDetector().detect(make_host({**files}))
