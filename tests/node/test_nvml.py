"""What NVIDIA's library tells: asked only where there is a driver, only of this machine, and always shut down."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from imagefit.node.contract import CannotLookError, HostView
from imagefit.node.detectors.nvml import Memory, Nvml, NvmlDetector, Pci, cuda_version, load_nvml, read_nvml
from node.conftest import MakeHost


class _Error(Exception):
    """As the library's own."""


@dataclass
class _Pci:
    domain: int = 0
    bus: int = 0x1B
    device: int = 0


@dataclass
class _Memory:
    total: int = 81_559 * 1024**2


@dataclass
class _Library:
    """NVIDIA's module on a machine with some H100."""

    gpus: int = 1
    fails: frozenset[str] = frozenset()
    is_split: int = 0
    open: int = 0
    asked: list[str] = field(default_factory=list)
    NVMLError: type[Exception] = _Error

    def _answer(self, name: str) -> None:
        self.asked.append(name)
        if name in self.fails:
            raise _Error(f"{name}: Not Supported")

    def nvmlInit(self) -> None:  # noqa: N802
        self._answer("init")
        self.open += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        self._answer("shutdown")
        self.open -= 1

    def nvmlSystemGetCudaDriverVersion_v2(self) -> int:  # noqa: N802
        self._answer("cuda")
        return 12_040

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        self._answer("count")
        return self.gpus

    def nvmlDeviceGetHandleByIndex(self, index: int) -> object:  # noqa: N802
        self._answer("handle")
        return index

    def nvmlDeviceGetName(self, handle: object) -> str:  # noqa: N802
        self._answer("name")
        return "NVIDIA H100 80GB HBM3"

    def nvmlDeviceGetPciInfo(self, handle: object) -> Pci:  # noqa: N802
        self._answer("pci")
        return _Pci()

    def nvmlDeviceGetMemoryInfo(self, handle: object) -> Memory:  # noqa: N802
        self._answer("memory")
        return _Memory()

    def nvmlDeviceGetCudaComputeCapability(self, handle: object) -> tuple[int, int]:  # noqa: N802
        self._answer("compute")
        return (9, 0)

    def nvmlDeviceGetMigMode(self, handle: object) -> list[int]:  # noqa: N802
        self._answer("mig")
        return [self.is_split, 1]


_DEVICE = {
    "product": "NVIDIA H100 80GB HBM3",
    "bus": "0000:1b:00.0",
    "memory_mib": "81559",
    "compute.major": "9",
    "compute.minor": "0",
    "mig": "false",
}


class _Running(HostView):
    """The running machine, but for its files."""

    @property
    def root(self) -> str:
        return "/"


def _running(make_host: MakeHost, *paths: str) -> HostView:
    return _Running(make_host(dict.fromkeys(paths, "")).root, machine="x86_64")


def test_everything_is_asked_and_the_library_shut_down() -> None:
    library = _Library(gpus=2)
    facts = read_nvml(library)
    assert facts.attributes == {"nvidia.cuda": {"version": "12.4", "major": "12", "minor": "4"}}
    assert facts.instances == {"nvidia.device": (_DEVICE, _DEVICE)}
    assert library.open == 0


@pytest.mark.parametrize(("number", "version"), [(11_080, "11.8"), (12_000, "12.0"), (13_010, "13.1"), (0, "0.0")])
def test_cuda_versions_are_a_thousand_times_the_major(number: int, version: str) -> None:
    assert cuda_version(number)["version"] == version


def test_a_gpu_that_can_be_split_says_whether_it_is() -> None:
    assert read_nvml(_Library(is_split=1)).instances["nvidia.device"][0]["mig"] == "true"


@pytest.mark.parametrize(
    ("question", "elements"),
    [
        ("name", {"product"}),
        ("pci", {"bus"}),
        ("memory", {"memory_mib"}),
        ("compute", {"compute.major", "compute.minor"}),
        ("mig", {"mig"}),
    ],
)
def test_a_question_that_a_gpu_does_not_answer_costs_its_element(question: str, elements: set[str]) -> None:
    library = _Library(fails=frozenset({question}))
    (device,) = read_nvml(library).instances["nvidia.device"]
    assert device == {name: value for name, value in _DEVICE.items() if name not in elements}
    assert library.open == 0


@pytest.mark.parametrize(("call", "is_open"), [("init", 0), ("cuda", 0), ("count", 0), ("handle", 0), ("shutdown", 1)])
def test_a_library_that_fails_leaves_nothing_known_and_is_shut_down(call: str, is_open: int) -> None:
    library = _Library(fails=frozenset({call}))
    with pytest.raises(CannotLookError, match="Not Supported"):
        read_nvml(library)
    assert library.open == is_open
    assert ("shutdown" in library.asked) is (call != "init")


def test_with_a_driver_the_library_is_asked(make_host: MakeHost) -> None:
    host = _running(make_host, "/proc/driver/nvidia/version", "/dev/nvidiactl")
    assert NvmlDetector(_Library).detect(host).instances == {"nvidia.device": (_DEVICE,)}


def _never() -> Nvml:
    raise AssertionError("the library was loaded")


def test_a_moved_root_never_shows_the_running_machine(make_host: MakeHost) -> None:
    host = make_host({"/proc/driver/nvidia/version": ""})
    with pytest.raises(CannotLookError, match="running machine"):
        NvmlDetector(_never).detect(host)


def test_without_the_device_file_the_library_is_not_called(make_host: MakeHost) -> None:
    with pytest.raises(CannotLookError, match="/dev/nvidiactl"):
        NvmlDetector(_never).detect(_running(make_host, "/proc/driver/nvidia/version"))


def test_without_a_driver_there_is_no_cuda_and_nothing_is_loaded(make_host: MakeHost) -> None:
    for host in (_running(make_host, "/proc/sys/x"), make_host({"/proc/sys/x": ""})):
        facts = NvmlDetector(_never).detect(host)
        assert (facts.attributes, facts.instances) == ({"nvidia.cuda": {}}, {"nvidia.device": ()})


def test_where_nothing_tells_of_a_driver_nothing_is_known(tmp_path: Path) -> None:
    with pytest.raises(CannotLookError):
        NvmlDetector(_never).detect(_Running(tmp_path))


def test_a_missing_library_says_how_it_is_installed() -> None:
    try:
        library = load_nvml()
    except CannotLookError as error:
        assert "pip install 'imagefit[nvidia]'" in str(error)  # noqa: PT017 - the library may be installed
    else:
        assert callable(library.nvmlInit)
