"""Whole hosts from small trees: what is known of each."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from imagefit.model.facts import format_profile, parse_profile
from imagefit.node.collect import collect
from imagefit.node.contract import HostView

_HOSTS = Path(__file__).parent.parent / "hosts"


@dataclass(frozen=True)
class _Expected:
    platform: tuple[str, str]
    vendor: str
    target: str
    not_target: str
    kernel: tuple[str, str]
    libc: tuple[str, str]
    distribution: tuple[str, str]
    pci: tuple[str, ...]
    selinux: str
    numa: str
    swap: str
    hugepages: str
    uncovered: frozenset[str]


_EXPECTED = {
    "amd64-v3-amd-server": _Expected(
        ("amd64", "v3"), "AMD", "zen3", "zen4", ("5", "15"), ("glibc", "2.35"), ("ubuntu", "22"),
        ("0200 15b3:101d", "0108 144d:a80a"), "false", "true", "false", "true", frozenset(),
    ),
    "amd64-v4-intel-gpu": _Expected(
        ("amd64", "v4"), "Intel", "sapphirerapids", "zen", ("5", "14"), ("glibc", "2.34"), ("rhel", "9"),
        ("0302 10de:2330", "0207 15b3:1021"), "true", "true", "false", "false", frozenset(),
    ),
    "arm64-neoverse-n1": _Expected(
        ("arm64", "v8.2"), "ARM", "neoverse_n1", "neoverse_v1", ("6", "1"), ("glibc", "2.36"), ("debian", "12"),
        ("0200 1d0f:ec20",), "false", "false", "false", "false", frozenset({"kernel.enabledmodule"}),
    ),
    "amd64-v1-vm": _Expected(
        ("amd64", "v1"), "Intel", "x86_64", "x86_64_v2", ("6", "6"), ("musl", "1.2.4"), ("alpine", "3"),
        (), "false", "false", "true", "false", frozenset({"kernel.config", "kernel.enabledmodule"}),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "expected"), _EXPECTED.items(), ids=_EXPECTED.keys())
def test_a_host_is_what_its_files_say(name: str, expected: _Expected) -> None:
    collected = collect(HostView(_HOSTS / name))
    node, flags, attributes = collected.node, collected.node.facts.flags, collected.node.facts.attributes
    assert (node.os, node.architecture, node.variant) == ("linux", *expected.platform)
    assert attributes["cpu.model"]["vendor_id"] == expected.vendor
    assert expected.target in flags["cpu.microarchitecture"]
    assert expected.not_target not in flags["cpu.microarchitecture"]
    assert (attributes["kernel.version"]["major"], attributes["kernel.version"]["minor"]) == expected.kernel
    assert (attributes["system.libc"]["name"], attributes["system.libc"]["version"]) == expected.libc
    release = attributes["system.osrelease"]
    assert (release["ID"], release["VERSION_ID.major"]) == expected.distribution
    devices = node.facts.instances["pci.device"]
    assert tuple(f"{one['class']} {one['vendor']}:{one['device']}" for one in devices) == expected.pci
    assert attributes["kernel.selinux"]["enabled"] == expected.selinux
    assert attributes["memory.numa"]["is_numa"] == expected.numa
    assert attributes["memory.swap"]["enabled"] == expected.swap
    assert attributes["memory.hugepages"]["enabled"] == expected.hugepages
    assert {feature for report in collected.reports for feature in report.uncovered} == expected.uncovered
    assert [report.message for report in collected.reports if not report.ok] == []


@pytest.mark.parametrize("name", _EXPECTED)
def test_a_host_survives_being_written_and_read(name: str) -> None:
    node = collect(HostView(_HOSTS / name)).node
    assert parse_profile(format_profile(node)) == node


def test_details_of_one_host() -> None:
    facts = collect(HostView(_HOSTS / "amd64-v3-amd-server")).node.facts
    config = facts.attributes["kernel.config"]
    assert (config["HZ"], config["BTRFS_FS"], config.get("PREEMPT")) == ("250", "m", None)
    assert {"mlx5_core", "ext4", "acpi_cpufreq"} <= facts.flags["kernel.enabledmodule"]
    assert "ext4" not in facts.flags["kernel.loadedmodule"]
    assert facts.attributes["kernel.cmdline"]["dyndbg"] == "file a.c +p"
    assert facts.attributes["memory.hugepages"]["hugepages-2Mi"] == "4"
    assert facts.instances["pci.device"][0]["sriov_totalvfs"] == "8"
