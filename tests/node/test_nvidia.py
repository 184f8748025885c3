"""NVIDIA's driver and its GPUs, from files."""

import pytest

from imagefit.node.contract import CannotLookError, NotThereError
from imagefit.node.detectors.nvidia import NvidiaDetector, parse_driver, parse_gpu, parse_module_version
from node.conftest import MakeHost

_CLOSED = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19 18:56:32 UTC 2023\nGCC version: 12\n"
_OPEN = (
    "NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  550.54.15  Release Build  (dvs@U16)  Tue Mar  5 2024\n"
    "GCC version:  gcc version 11.4.0 (Ubuntu 11.4.0-1ubuntu1~22.04)\n"
)
_GPU = (
    "Model: \t\t NVIDIA A100-SXM4-40GB\nIRQ:   \t\t 233\nGPU UUID: \t GPU-00000000-0000-0000-0000-000000000000\n"
    "Video BIOS: \t 92.00.19.00.01\nBus Type: \t PCIe\nBus Location: \t 0000:07:00.0\nDevice Minor: \t 3\n"
    "GPU Excluded:\t No\n"
)
_DRIVER = "/proc/driver/nvidia"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        pytest.param(_CLOSED, ("535.129.03", "535", "129", "03"), id="closed"),
        pytest.param(_OPEN, ("550.54.15", "550", "54", "15"), id="open"),
        pytest.param(_CLOSED.replace("535.129.03", "510.39"), ("510.39", "510", "39", None), id="two-numbers"),
        pytest.param("GCC version: 1\n" + _CLOSED, ("535.129.03", "535", "129", "03"), id="not-the-first-line"),
    ],
)
def test_the_version_line_is_read_in_both_spellings(text: str, version: tuple[str | None, ...]) -> None:
    names = ("version", "major", "minor", "revision")
    assert parse_driver(text) == {name: value for name, value in zip(names, version, strict=True) if value}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("GCC version:  gcc version 11.4.0\n", id="only-the-compiler"),
        pytest.param("NVRM version: NVIDIA UNIX x86_64 Kernel Module\n  1.2.3\n", id="on-the-next-line"),
        pytest.param("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535\n", id="one-number"),
        pytest.param("x NVRM version: Kernel Module  1.2\n", id="another-line"),
    ],
)
def test_a_text_without_that_line_names_no_version(text: str) -> None:
    with pytest.raises(CannotLookError, match="names no version"):
        parse_driver(text)


def test_a_gpu_is_its_product_and_place_and_no_serial_number() -> None:
    assert parse_gpu(_GPU) == {"product": "NVIDIA A100-SXM4-40GB", "bus": "0000:07:00.0", "minor": "3"}


@pytest.mark.parametrize(
    ("text", "gpu"),
    [
        pytest.param(_GPU.replace("Excluded:\t No", "Excluded:\t Yes"), None, id="excluded-by-the-operator"),
        pytest.param("Model: Unknown\nBus Location: 0000:07:00.0\n", {"bus": "0000:07:00.0"}, id="not-initialised"),
        pytest.param("Model\n: x\n\0\n", {}, id="nonsense"),
        pytest.param("", {}, id="empty"),
    ],
)
def test_what_the_driver_does_not_know_is_left_out(text: str, gpu: dict[str, str] | None) -> None:
    assert parse_gpu(text) == gpu


def test_driver_and_gpus_are_found_in_the_order_of_their_addresses(make_host: MakeHost) -> None:
    host = make_host(
        {
            f"{_DRIVER}/version": _OPEN,
            f"{_DRIVER}/gpus/0000:07:00.0/information": _GPU,
            f"{_DRIVER}/gpus/0000:04:00.0/information": "Model: Tesla\n",
            f"{_DRIVER}/gpus/0000:09:00.0/power": "",
        }
    )
    facts = NvidiaDetector().detect(host)
    assert facts.attributes["nvidia.driver"]["major"] == "550"
    assert [gpu["bus"] for gpu in facts.instances["nvidia.gpu"]] == ["0000:04:00.0", "0000:07:00.0"]


def test_the_modules_version_stands_in_for_a_missing_file(make_host: MakeHost) -> None:
    host = make_host({f"{_DRIVER}/params": "", "/sys/module/nvidia/version": "550.54.15\n"})
    facts = NvidiaDetector().detect(host)
    assert facts.attributes["nvidia.driver"] == parse_module_version("550.54.15")
    assert facts.instances == {"nvidia.gpu": ()}


def test_a_host_without_the_driver_is_known_to_have_none(make_host: MakeHost) -> None:
    facts = NvidiaDetector().detect(make_host({"/proc/sys/kernel/osrelease": "6.1"}))
    assert (facts.attributes, facts.instances) == ({"nvidia.driver": {}}, {"nvidia.gpu": ()})


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({f"{_DRIVER}/version": "x"}, id="no-version-line"),
        pytest.param({f"{_DRIVER}/version/x": ""}, id="version-is-a-directory"),
        pytest.param({f"{_DRIVER}/params": "", "/sys/module/nvidia/version": "x"}, id="module-without-version"),
        pytest.param({f"{_DRIVER}/params": ""}, id="no-version-at-all"),
        pytest.param({f"{_DRIVER}/version": _OPEN + "x" * 20_000}, id="too-long"),
        pytest.param({f"{_DRIVER}/version": _OPEN, f"{_DRIVER}/gpus/a/information/x": ""}, id="gpu-is-a-directory"),
        pytest.param({"/proc/sys/x": "", "/sys/module/nvgpu/x": ""}, id="tegra"),
        pytest.param({"/proc/sys/x": "", "/dev/dxg": ""}, id="windows-subsystem-for-linux"),
        pytest.param({}, id="no-proc"),
    ],
)
def test_what_cannot_be_read_is_not_known(make_host: MakeHost, files: dict[str, str | bytes]) -> None:
    with pytest.raises(CannotLookError):
        NvidiaDetector().detect(make_host(files))


def test_without_proc_nothing_is_there(make_host: MakeHost) -> None:
    with pytest.raises(NotThereError):
        NvidiaDetector().detect(make_host({"/sys/module/x": ""}))
