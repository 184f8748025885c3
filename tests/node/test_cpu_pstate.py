"""Intel's P-state driver."""

import pytest

from imagefit.node.contract import CannotLookError
from imagefit.node.detectors.cpu_pstate import PstateDetector, describe
from node.conftest import MakeHost

_CPU = "/sys/devices/system/cpu"
_ACTIVE = {
    f"{_CPU}/intel_pstate/status": "active\n",
    f"{_CPU}/intel_pstate/no_turbo": "0\n",
    f"{_CPU}/cpufreq/policy0/scaling_governor": "performance\n",
    f"{_CPU}/cpufreq/policy1/scaling_governor": "performance\n",
}


@pytest.mark.parametrize(
    ("status", "no_turbo", "governors", "elements"),
    [
        pytest.param("active\n", "0", ["a", "a"], {"turbo": "true", "scaling_governor": "a"}, id="active"),
        pytest.param("active\n", "1", ["a", "b"], {"turbo": "false"}, id="governors-differ"),
        pytest.param("active\n", "", [], {}, id="active-and-nothing-else-readable"),
        pytest.param("passive\n", "1", ["a"], {"turbo": "false"}, id="passive"),
    ],
)
def test_the_driver_is_described_as_nfd_does(
    status: str, no_turbo: str, governors: list[str], elements: dict[str, str]
) -> None:
    assert describe(status, no_turbo, governors) == {"status": status.strip()} | elements


def test_nothing_is_said_of_a_driver_that_is_off() -> None:
    assert describe("off\n", "0", ["a"]) == {}


def test_switches_and_governors_are_read(make_host: MakeHost) -> None:
    found = PstateDetector().detect(make_host({**_ACTIVE})).attributes
    assert found == {"cpu.pstate": {"status": "active", "turbo": "true", "scaling_governor": "performance"}}


def test_a_governor_that_cannot_be_read_does_not_count(make_host: MakeHost) -> None:
    files = _ACTIVE | {f"{_CPU}/cpufreq/policy2/scaling_governor/x": "", f"{_CPU}/cpufreq/boost": "1\n"}
    found = PstateDetector().detect(make_host({**files})).attributes
    assert found["cpu.pstate"]["scaling_governor"] == "performance"


@pytest.mark.parametrize("policies", [{}, {f"{_CPU}/cpufreq": "no directory"}], ids=["none", "unreadable"])
def test_without_policies_there_is_no_governor(make_host: MakeHost, policies: dict[str, str]) -> None:
    files = {f"{_CPU}/intel_pstate/status": "active\n"} | policies
    assert PstateDetector().detect(make_host({**files})).attributes == {"cpu.pstate": {"status": "active"}}


def test_another_driver_is_known_to_be_another(make_host: MakeHost) -> None:
    host = make_host({f"{_CPU}/cpufreq/policy0/scaling_governor": "schedutil\n"})
    assert PstateDetector().detect(host).attributes == {"cpu.pstate": {}}


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({}, id="no-sysfs"),
        pytest.param({f"{_CPU}/intel_pstate/no_turbo": "0\n"}, id="no-status"),
        pytest.param({f"{_CPU}/intel_pstate/status/x": ""}, id="unreadable"),
    ],
)
def test_what_cannot_be_read_is_not_known(make_host: MakeHost, files: dict[str, str]) -> None:
    with pytest.raises(CannotLookError):
        PstateDetector().detect(make_host({**files}))
