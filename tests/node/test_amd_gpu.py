"""AMD's GPUs and their driver."""

import pytest

from imagefit.node.contract import CannotLookError, Detector
from imagefit.node.detectors.amd_gpu import (
    AmdDriverDetector,
    AmdGpuDetector,
    own_memory_bytes,
    parse_gpu,
    parse_properties,
)
from node.conftest import MakeHost

_CPU = "cpu_cores_count 64\nsimd_count 0\ngfx_target_version 0\nvendor_id 0\n"
_GPU = (
    "cpu_cores_count 0\nsimd_count 440\ngfx_target_version 90010\nvendor_id 4098\ndevice_id 29711\n"
    "location_id 17152\ndomain 0\nunique_id 1234567890\n"
)
_NODES = "/sys/class/kfd/kfd/topology/nodes"
_BANK = "heap_type 1\nsize_in_bytes 68702699520\nflags 0\n"


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("80003", "gfx803"),
        ("90006", "gfx906"),
        ("90010", "gfx90a"),
        ("90402", "gfx942"),
        ("100302", "gfx1032"),
        ("110000", "gfx1100"),
        ("120001", "gfx1201"),
    ],
)
def test_targets_have_llvms_names(target: str, name: str) -> None:
    gpu = parse_gpu(_GPU.replace("90010", target))
    assert gpu is not None
    assert gpu["gfx"] == name


def test_a_gpu_is_its_target_its_numbers_and_its_place() -> None:
    assert parse_gpu(_GPU) == {"gfx": "gfx90a", "vendor": "1002", "device": "740f", "bus": "0000:43:00.0"}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(_CPU, id="cpu"),
        pytest.param("simd_count many\ngfx_target_version 90010\n", id="no-number"),
        pytest.param("simd_count -4\ngfx_target_version 90010\n", id="negative"),
        pytest.param("", id="empty"),
    ],
)
def test_a_node_without_simd_units_is_no_gpu(text: str) -> None:
    assert parse_gpu(text) is None


@pytest.mark.parametrize("text", [_GPU.replace("90010", "0"), "simd_count 440\n"], ids=["zero", "before-linux-5.16"])
def test_a_gpu_whose_target_the_kernel_does_not_name_leaves_gpus_unknown(text: str) -> None:
    with pytest.raises(CannotLookError, match="target"):
        parse_gpu(text)


def test_lines_that_are_no_pairs_are_skipped() -> None:
    assert parse_properties("a 1\nb\nc d\n e  2 \nf 1 2\n\ng ٣\n") == {"a": 1, "e": 2}


def test_only_heaps_on_the_gpu_are_its_memory() -> None:
    banks = [_BANK, _BANK.replace("heap_type 1", "heap_type 2"), _BANK.replace("heap_type 1", "heap_type 0"), "x"]
    assert own_memory_bytes(banks) == 2 * 68_702_699_520


def test_gpus_come_in_the_kernels_order_with_their_memory(make_host: MakeHost) -> None:
    host = make_host(
        {
            f"{_NODES}/0/properties": _CPU,
            f"{_NODES}/10/properties": _GPU.replace("90010", "90402"),
            f"{_NODES}/2/properties": _GPU,
            f"{_NODES}/2/mem_banks/0/properties": _BANK,
            "/sys/module/amdgpu/version": "6.3.6\n",
        }
    )
    facts = AmdGpuDetector().detect(host)
    first, second = facts.instances["amd.gpu"]
    assert (first["gfx"], first["memory_mib"], second["gfx"], "memory_mib" in second) == (
        "gfx90a", "65520", "gfx942", False,
    )  # fmt: skip
    assert AmdDriverDetector().detect(host).attributes == {"amd.driver": {"version": "6.3.6"}}


def test_a_host_without_the_driver_is_known_to_have_no_gpu(make_host: MakeHost) -> None:
    host = make_host({"/sys/class/net/lo": "", "/sys/module/loop/x": ""})
    assert AmdGpuDetector().detect(host).instances == {"amd.gpu": ()}
    assert AmdDriverDetector().detect(host).attributes == {"amd.driver": {}}


@pytest.mark.parametrize(
    ("detector", "files"),
    [
        pytest.param(AmdGpuDetector(), {}, id="no-sys"),
        pytest.param(AmdGpuDetector(), {f"{_NODES}/1/name": "x"}, id="node-without-properties"),
        pytest.param(AmdGpuDetector(), {f"{_NODES}/1/properties": "x" * 5000}, id="too-long"),
        pytest.param(AmdDriverDetector(), {}, id="no-modules"),
        pytest.param(AmdDriverDetector(), {"/sys/module/amdgpu/refcnt": "1"}, id="the-kernels-own-driver"),
        pytest.param(AmdDriverDetector(), {"/sys/module/amdgpu/version": "\n"}, id="empty"),
        pytest.param(AmdDriverDetector(), {"/sys/module/amdgpu/version/x": ""}, id="a-directory"),
    ],
)
def test_what_cannot_be_read_is_not_known(make_host: MakeHost, detector: Detector, files: dict[str, str]) -> None:
    with pytest.raises(CannotLookError):
        detector.detect(make_host({**files}))
