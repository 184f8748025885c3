"""Confidential computing."""

from pathlib import Path

import pytest

from imagefit.node.contract import CannotLookError, HostView
from imagefit.node.detectors.cpu_security import SecurityDetector, describe, parse_capacity
from node.conftest import MakeHost

_NONE: frozenset[str] = frozenset()
_CPUINFO = {"/proc/cpuinfo": "flags\t\t: fpu lm\n"}
_AMD = "/sys/module/kvm_amd/parameters"
_TDX = "/sys/module/kvm_intel/parameters/tdx"
_ZONES = {"/sys/module/x86_pkg_temp_thermal/refcnt": "0"}


@pytest.mark.parametrize(
    ("flags", "sizes", "enabled", "capacity", "elements"),
    [
        pytest.param(_NONE, (), _NONE, {}, {}, id="nothing"),
        pytest.param(
            {"sgx"}, (4096, 8192), _NONE, {}, {"sgx.enabled": "true", "sgx.epc": "12288"}, id="sgx-on-two-nodes"
        ),
        pytest.param({"sgx"}, (), _NONE, {}, {"sgx.enabled": "true"}, id="sgx-of-an-older-kernel"),
        pytest.param({"sgx"}, (0, 0), _NONE, {}, {}, id="sgx-without-memory"),
        pytest.param(_NONE, (4096,), _NONE, {}, {}, id="sgx-not-switched-on"),
        pytest.param({"tdx_guest"}, (), _NONE, {}, {"tdx.protected": "true"}, id="inside-tdx"),
        pytest.param(
            _NONE, (), {"tdx"}, {"tdx": "63"}, {"tdx.enabled": "true", "tdx.total_keys": "63"}, id="tdx-on-the-host"
        ),
        pytest.param(_NONE, (), {"sev"}, {}, {"sev.enabled": "true"}, id="sev-uncounted"),
        pytest.param(
            _NONE,
            (),
            {"sev", "sev_es", "sev_snp"},
            {"sev": "410", "sev_es": "99"},
            {
                "sev.enabled": "true",
                "sev.asids": "410",
                "sev.es.enabled": "true",
                "sev.encrypted_state_ids": "99",
                "sev.snp.enabled": "true",
            },
            id="sev-all",
        ),
        pytest.param(_NONE, (), _NONE, {"sev": "410", "tdx": "63"}, {}, id="counted-and-not-enabled"),
    ],
)
def test_elements_are_nfds(
    flags: set[str], sizes: tuple[int, ...], enabled: set[str], capacity: dict[str, str], elements: dict[str, str]
) -> None:
    assert describe(flags, sizes, enabled, capacity) == elements


@pytest.mark.parametrize(
    ("text", "capacity"),
    [
        pytest.param("sev_es 99\nsev 410\n", {"sev": "410", "sev_es": "99"}, id="a-name-that-starts-like-another"),
        pytest.param("res_a max\nsev\n\nsev 1 2\nsev -1\n", {}, id="nonsense"),
        pytest.param("", {}, id="empty"),
    ],
)
def test_capacities_are_read_by_their_whole_name(text: str, capacity: dict[str, str]) -> None:
    assert parse_capacity(text) == capacity


@pytest.mark.parametrize(
    ("files", "elements"),
    [
        pytest.param(_ZONES, {}, id="no-kvm"),
        pytest.param({f"{_AMD}/sev": "N\n", f"{_AMD}/sev_es": "0\n", _TDX: "N\n"}, {}, id="switched-off"),
        pytest.param({_TDX: "Y\n"}, {"tdx.enabled": "true"}, id="tdx"),
        pytest.param(
            {f"{_AMD}/sev": "1\n", "/sys/fs/cgroup/misc/misc.capacity": "sev 15\n"},
            {"sev.enabled": "true", "sev.asids": "15"},
            id="numbers-and-cgroup-v1",
        ),
        pytest.param(
            {f"{_AMD}/sev_snp": "Y\n", "/sys/fs/cgroup/misc.capacity": "sev 15\n"},
            {"sev.snp.enabled": "true"},
            id="snp-has-no-number",
        ),
        pytest.param(
            _ZONES
            | {
                "/proc/cpuinfo": "flags\t\t: fpu lm sgx tdx_guest\n",
                "/sys/devices/system/node/node0/x86/sgx_total_bytes": "4096\n",
                "/sys/devices/system/node/node1/x86/sgx_total_bytes": "4096\n",
                "/sys/devices/system/node/node2/x86/sgx_total_bytes": "none\n",
                "/sys/devices/system/node/online": "0-2\n",
            },
            {"sgx.enabled": "true", "sgx.epc": "8192", "tdx.protected": "true"},
            id="what-the-cpu-shows",
        ),
    ],
)
def test_amd64_is_read(make_host: MakeHost, files: dict[str, str], elements: dict[str, str]) -> None:
    assert SecurityDetector().detect(make_host(_CPUINFO | files)).attributes == {"cpu.security": elements}


@pytest.mark.parametrize(
    ("machine", "files", "elements"),
    [
        pytest.param("s390x", {"uv/prot_virt_host": "1\n"}, {"se.enabled": "true"}, id="s390x"),
        pytest.param("s390x", {"uv/prot_virt_host": "0\n"}, {}, id="s390x-switched-off"),
        pytest.param("s390x", {"ipl/ipl_type": "x"}, {}, id="s390x-of-an-older-kernel"),
        pytest.param("aarch64", {"uv/prot_virt_host": "1\n"}, {}, id="arm64"),
    ],
)
def test_other_machines(
    make_host: MakeHost, tmp_path: Path, machine: str, files: dict[str, str], elements: dict[str, str]
) -> None:
    make_host({f"/sys/firmware/{path}": content for path, content in files.items()})
    host = HostView(tmp_path, machine=machine)
    assert SecurityDetector().detect(host).attributes == {"cpu.security": elements}


@pytest.mark.parametrize(
    ("machine", "files"),
    [
        pytest.param("", {"/sys/module/x": "", "/sys/firmware/x": ""}, id="unknown-machine"),
        pytest.param("x86_64", {"/sys/module/x": ""}, id="no-cpuinfo"),
        pytest.param("x86_64", _CPUINFO, id="no-sysfs"),
        pytest.param("x86_64", _CPUINFO | {f"{_AMD}/sev/x": ""}, id="switch-unreadable"),
        pytest.param("s390x", {"/sys/module/x": ""}, id="no-firmware"),
        pytest.param("s390x", {"/sys/firmware/uv/prot_virt_host/x": ""}, id="firmware-unreadable"),
    ],
)
def test_what_cannot_be_read_is_not_known(
    make_host: MakeHost, tmp_path: Path, machine: str, files: dict[str, str]
) -> None:
    make_host({**files})
    with pytest.raises(CannotLookError):
        SecurityDetector().detect(HostView(tmp_path, machine=machine))
