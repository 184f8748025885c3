"""Who made the machine."""

import pytest

from imagefit.node.contract import CannotLookError
from imagefit.node.detectors.dmi import DmiDetector
from node.conftest import MakeHost

_DMI = "/sys/devices/virtual/dmi/id"


def test_strings_are_shown_and_numbers_of_one_machine_are_not(make_host: MakeHost) -> None:
    files = {
        f"{_DMI}/sys_vendor": "Dell Inc.\n",
        f"{_DMI}/product_name": "PowerEdge R7525 \n",
        f"{_DMI}/bios_version": "2.8.4\n",
        f"{_DMI}/board_name/x": "a directory",
        f"{_DMI}/product_serial": "ABC\n",
        f"{_DMI}/product_uuid": "ABC\n",
    }
    assert DmiDetector().detect(make_host({**files})).attributes == {
        "system.dmiid": {"sys_vendor": "Dell Inc.", "product_name": "PowerEdge R7525", "bios_version": "2.8.4"}
    }


def test_a_machine_without_the_table_is_known_to_have_none(make_host: MakeHost) -> None:
    assert DmiDetector().detect(make_host({"/sys/devices/system/x": ""})).attributes == {"system.dmiid": {}}


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({}, id="no-sysfs"),
        pytest.param({f"{_DMI}/product_serial": "ABC\n"}, id="nothing-of-ours"),
        pytest.param({f"{_DMI}/sys_vendor/x": ""}, id="unreadable"),
    ],
)
def test_what_cannot_be_read_is_not_known(make_host: MakeHost, files: dict[str, str]) -> None:
    with pytest.raises(CannotLookError):
        DmiDetector().detect(make_host({**files}))
