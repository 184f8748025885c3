"""Idle states."""

import pytest

from imagefit.node.contract import CannotLookError
from imagefit.node.detectors.cpu_cstate import CstateDetector, parse_deepest
from node.conftest import MakeHost

_DRIVER = "/sys/devices/system/cpu/cpuidle/current_driver"
_DEEPEST = "/sys/module/intel_idle/parameters/max_cstate"


@pytest.mark.parametrize(("text", "enabled"), [("9\n", "true"), ("1\n", "true"), ("0\n", "false"), ("-1\n", "false")])
def test_states_are_enabled_where_the_driver_may_use_one(text: str, enabled: str) -> None:
    assert parse_deepest(text) == {"enabled": enabled}


@pytest.mark.parametrize("text", ["", "many\n", "1 2", "9" * 5000])
def test_what_is_no_number_is_not_known(text: str) -> None:
    with pytest.raises(CannotLookError):
        parse_deepest(text)


@pytest.mark.parametrize(
    ("files", "elements"),
    [
        pytest.param({_DRIVER: "intel_idle\n", _DEEPEST: "9\n"}, {"enabled": "true"}, id="intel"),
        pytest.param({_DRIVER: "intel_idle\n", _DEEPEST: "0\n"}, {"enabled": "false"}, id="switched-off"),
        pytest.param({_DRIVER: "acpi_idle\n", _DEEPEST: "9\n"}, {}, id="another-driver"),
        pytest.param({"/sys/devices/system/cpu/online": "0\n"}, {}, id="none-in-the-kernel"),
    ],
)
def test_only_intels_driver_says_something(
    make_host: MakeHost, files: dict[str, str], elements: dict[str, str]
) -> None:
    assert CstateDetector().detect(make_host({**files})).attributes == {"cpu.cstate": elements}


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({}, id="no-sysfs"),
        pytest.param({f"{_DRIVER}/x": ""}, id="driver-unreadable"),
        pytest.param({_DRIVER: "intel_idle\n"}, id="no-limit"),
        pytest.param({_DRIVER: "intel_idle\n", f"{_DEEPEST}/x": ""}, id="limit-unreadable"),
    ],
)
def test_what_cannot_be_read_is_not_known(make_host: MakeHost, files: dict[str, str]) -> None:
    with pytest.raises(CannotLookError):
        CstateDetector().detect(make_host({**files}))
