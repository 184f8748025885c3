"""Non-volatile memory."""

import pytest

from imagefit.node.contract import CannotLookError
from imagefit.node.detectors.nvdimm import NvdimmDetector
from node.conftest import MakeHost

_DEVICES = "/sys/bus/nd/devices"


def test_every_device_of_the_bus_is_an_instance(make_host: MakeHost) -> None:
    files = {
        f"{_DEVICES}/region0/devtype": "nd_pmem\n",
        f"{_DEVICES}/dax0.0/devtype": "nd_dax\n",
        f"{_DEVICES}/dax0.0/mode": "devdax\n",
        f"{_DEVICES}/nmem0/devtype/x": "a directory",
    }
    assert NvdimmDetector().detect(make_host({**files})).instances["memory.nv"] == (
        {"name": "dax0.0", "devtype": "nd_dax", "mode": "devdax"},
        {"name": "nmem0"},
        {"name": "region0", "devtype": "nd_pmem"},
    )


@pytest.mark.parametrize("file", ["/sys/bus/pci/x", "/sys/bus/nd/devices"], ids=["no-bus", "no-directory"])
def test_a_machine_without_the_bus_is_known_to_have_none(make_host: MakeHost, file: str) -> None:
    assert NvdimmDetector().detect(make_host({file: ""})).instances == {"memory.nv": ()}


@pytest.mark.parametrize("files", [{}, {"/sys/class/x": ""}], ids=["no-sysfs", "no-buses"])
def test_without_buses_nothing_is_known(make_host: MakeHost, files: dict[str, str]) -> None:
    with pytest.raises(CannotLookError):
        NvdimmDetector().detect(make_host({**files}))
