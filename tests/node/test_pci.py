"""PCI devices."""

import pytest

from imagefit.node.contract import CannotLookError
from imagefit.node.detectors.pci import PciDetector, parse_device
from node.conftest import MakeHost

_VALUES = {
    "class": "0x030200\n",
    "vendor": "0x10DE\n",
    "device": "0x2330\n",
    "subsystem_vendor": "0x10de\n",
    "subsystem_device": "0x16c1\n",
}
_DEVICE = {
    "class": "0302",
    "vendor": "10de",
    "device": "2330",
    "subsystem_vendor": "10de",
    "subsystem_device": "16c1",
}


def test_numbers_are_lower_case_without_prefix_and_the_class_has_four() -> None:
    assert parse_device(_VALUES) == _DEVICE


def test_optional_files_are_kept_as_they_are() -> None:
    more = {"sriov_totalvfs": "16\n", "iommu_group/type": "DMA-FQ\n"}
    assert parse_device(_VALUES | more) == _DEVICE | {"sriov_totalvfs": "16", "iommu_group/type": "DMA-FQ"}


@pytest.mark.parametrize("missing", _VALUES)
def test_a_device_that_does_not_say_what_it_is_is_left_out(missing: str) -> None:
    assert parse_device({name: value for name, value in _VALUES.items() if name != missing}) is None


def test_devices_come_in_the_order_of_their_addresses(make_host: MakeHost) -> None:
    bus = "/sys/bus/pci/devices"
    files: dict[str, str | bytes] = {f"{bus}/0000:02:00.0/{name}": value for name, value in _VALUES.items()}
    files |= {f"{bus}/0000:01:00.0/{name}": value for name, value in (_VALUES | {"device": "0x1\n"}).items()}
    files[f"{bus}/0000:03:00.0/class"] = "0x020000\n"
    found = PciDetector().detect(make_host(files)).instances["pci.device"]
    assert [device["device"] for device in found] == ["1", "2330"]


def test_a_machine_without_the_bus_is_known_to_have_no_device(make_host: MakeHost) -> None:
    assert PciDetector().detect(make_host({"/sys/bus/usb/x": ""})).instances == {"pci.device": ()}


def test_without_sys_nothing_is_known(make_host: MakeHost) -> None:
    with pytest.raises(CannotLookError):
        PciDetector().detect(make_host({"/sys/kernel/x": ""}))
