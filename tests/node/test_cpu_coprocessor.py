"""Accelerators beside the CPU."""

import pytest

from imagefit.node.contract import CannotLookError
from imagefit.node.detectors.cpu_coprocessor import CoprocessorDetector
from node.conftest import MakeHost

_VIO = "/sys/devices/vio/ibm,compression-v1"


@pytest.mark.parametrize(
    ("files", "elements"),
    [
        pytest.param({f"{_VIO}/nx_gzip_caps/req_max_processed_len": "1\n"}, {"nx_gzip": "true"}, id="nx-gzip"),
        pytest.param({f"{_VIO}/modalias": "x\n"}, {}, id="without-its-abilities"),
        pytest.param({"/sys/devices/system/cpu/online": "0\n"}, {}, id="another-machine"),
    ],
)
def test_the_compression_unit_of_power_is_found(
    make_host: MakeHost, files: dict[str, str], elements: dict[str, str]
) -> None:
    assert CoprocessorDetector().detect(make_host({**files})).attributes == {"cpu.coprocessor": elements}


@pytest.mark.parametrize("files", [{}, {"/sys/bus/x": ""}], ids=["no-sysfs", "no-devices"])
def test_without_devices_nothing_is_known(make_host: MakeHost, files: dict[str, str]) -> None:
    with pytest.raises(CannotLookError):
        CoprocessorDetector().detect(make_host({**files}))
