"""What the kernel says of itself: version, configuration, modules, command line, SELinux."""

import gzip
from collections.abc import Mapping

import pytest

from imagefit.model.facts import Facts
from imagefit.node.contract import CannotLookError, Detector
from imagefit.node.detectors.kernel_cmdline import KernelCmdlineDetector, parse_cmdline
from imagefit.node.detectors.kernel_config import KernelConfigDetector, expand, parse_config
from imagefit.node.detectors.kernel_modules import (
    EnabledModulesDetector,
    LoadedModulesDetector,
    parse_built_in,
    parse_loaded,
)
from imagefit.node.detectors.kernel_version import KernelVersionDetector, parse_version
from imagefit.node.detectors.selinux import SelinuxDetector, is_enforcing
from node.conftest import MakeHost

_RELEASE = {"/proc/sys/kernel/osrelease": "6.1.0\n"}


@pytest.mark.parametrize(
    ("text", "version"),
    [
        pytest.param("6.1.0-18-amd64\n", ("6.1.0-18-amd64", "6", "1", "0"), id="debian"),
        pytest.param("5.14.0-427.el9.x86_64", ("5.14.0-427.el9.x86_64", "5", "14", "0"), id="redhat"),
        pytest.param("6.8.0+", ("6.8.0", "6", "8", "0"), id="local-build"),
        pytest.param("5.10.16.3-microsoft-standard", ("5.10.16.3-microsoft-standard", "5", "10", "16"), id="four"),
        pytest.param("7.0 rc1", ("7.0_rc1", "7", "0"), id="two-numbers"),
        pytest.param("custom", ("custom",), id="no-number"),
    ],
)
def test_a_release_is_split_into_its_numbers(text: str, version: tuple[str, ...]) -> None:
    assert parse_version(text) == dict(zip(("full", "major", "minor", "revision"), version, strict=False))


def test_an_empty_release_is_not_looked_at() -> None:
    with pytest.raises(CannotLookError):
        parse_version("\n")


def test_options_have_their_values_and_comments_are_none() -> None:
    text = (
        'CONFIG_A=y\nCONFIG_B=m\nCONFIG_HZ=250\nCONFIG_S="a \\"b\\" c"\nCONFIG_E=""\n'
        "# CONFIG_NOT is not set\n#CONFIG_C=y\n CONFIG_D=y\nOTHER=y\nCONFIG_X=0x10\r\n"
    )
    assert parse_config(text) == {"A": "y", "B": "m", "HZ": "250", "S": 'a \\"b\\" c', "E": "", "X": "0x10"}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"CONFIG_A=y\n", id="not-gzip"),
        pytest.param(gzip.compress(b"CONFIG_A=y\n")[:-6], id="cut-short"),
        pytest.param(gzip.compress(b"x" * 2000), id="too-much"),
    ],
)
def test_a_bad_archive_is_not_looked_at(content: bytes) -> None:
    with pytest.raises(CannotLookError):
        expand(content, 1000)


_CONFIG_PATHS = (
    "/boot/config-6.1.0",
    "/lib/modules/6.1.0/config",
    "/usr/lib/modules/6.1.0/config",
    "/usr/lib/ostree-boot/config-6.1.0",
    "/usr/lib/kernel/config-6.1.0",
)


@pytest.mark.parametrize("path", _CONFIG_PATHS)
def test_the_configuration_is_found_where_distributions_put_it(make_host: MakeHost, path: str) -> None:
    facts = KernelConfigDetector().detect(make_host({**_RELEASE, path: "CONFIG_A=y\n"}))
    assert facts.attributes == {"kernel.config": {"A": "y"}}


def test_the_running_kernels_own_configuration_comes_first(make_host: MakeHost) -> None:
    files: dict[str, str | bytes] = {
        "/proc/config.gz": gzip.compress(b"CONFIG_A=m\n"),
        "/boot/config-6.1.0": "CONFIG_A=y\n",
    }
    assert KernelConfigDetector().detect(make_host(files)).attributes == {"kernel.config": {"A": "m"}}


def test_the_configuration_of_another_kernel_is_not_taken(make_host: MakeHost) -> None:
    with pytest.raises(CannotLookError):
        KernelConfigDetector().detect(make_host({**_RELEASE, "/boot/config-6.2.0": "CONFIG_A=y\n"}))


def test_modules_have_one_spelling() -> None:
    assert parse_loaded("nvidia-uvm 1 0 - Live 0x0\nnvme 2\n\n") == {"nvidia_uvm", "nvme"}
    assert parse_built_in("kernel/fs/ext4/ext4.ko\nkernel/a/acpi-cpufreq.ko\nbad\n") == {"ext4", "acpi_cpufreq"}


def test_enabled_is_loaded_or_built_in(make_host: MakeHost) -> None:
    host = make_host(
        {**_RELEASE, "/proc/modules": "nvme 1\n", "/usr/lib/modules/6.1.0/modules.builtin": "kernel/ext4.ko\n"}
    )
    assert EnabledModulesDetector().detect(host).flags == {"kernel.enabledmodule": {"nvme", "ext4"}}
    assert LoadedModulesDetector().detect(host).flags == {"kernel.loadedmodule": {"nvme"}}


def test_loaded_is_known_where_built_in_is_not(make_host: MakeHost) -> None:
    host = make_host({**_RELEASE, "/proc/modules": ""})
    assert LoadedModulesDetector().detect(host).flags == {"kernel.loadedmodule": frozenset()}
    with pytest.raises(CannotLookError):
        EnabledModulesDetector().detect(host)


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        pytest.param("quiet ro\n", {"quiet": "", "ro": ""}, id="bare"),
        pytest.param("root=/dev/sda1 a=b=c", {"root": "/dev/sda1", "a": "b=c"}, id="values"),
        pytest.param("console=tty0 console=ttyS0", {"console": "ttyS0"}, id="later-wins"),
        pytest.param('dyndbg="file a.c +p" x', {"dyndbg": "file a.c +p", "x": ""}, id="quoted-value"),
        pytest.param('"a=b c" d', {"a": "b c", "d": ""}, id="quoted-whole"),
        pytest.param('a="open end', {"a": "open end"}, id="open-quote"),
        pytest.param("a -- init b", {"a": ""}, id="inits-own"),
        pytest.param("", {}, id="empty"),
        pytest.param("=x", {}, id="no-name"),
    ],
)
def test_a_command_line_is_read_as_the_kernel_does(text: str, parameters: Mapping[str, str]) -> None:
    assert parse_cmdline(text) == parameters


@pytest.mark.parametrize(("text", "enforcing"), [("1", True), ("1\n", True), ("0", False), ("", False)])
def test_selinux_counts_where_it_enforces(text: str, *, enforcing: bool) -> None:
    assert is_enforcing(text) is enforcing


@pytest.mark.parametrize(
    ("files", "enabled"),
    [
        pytest.param({"/sys/fs/selinux/enforce": "1"}, "true", id="enforcing"),
        pytest.param({"/sys/fs/selinux/enforce": "0"}, "false", id="permissive"),
        pytest.param({"/sys/fs/cgroup/x": ""}, "false", id="none"),
    ],
)
def test_selinux_is_read_off_its_file_system(make_host: MakeHost, files: dict[str, str], enabled: str) -> None:
    assert SelinuxDetector().detect(make_host({**files})).attributes == {"kernel.selinux": {"enabled": enabled}}


@pytest.mark.parametrize(
    ("detector", "files"),
    [
        pytest.param(KernelVersionDetector(), {}, id="version-missing"),
        pytest.param(KernelVersionDetector(), {"/proc/sys/kernel/osrelease/x": ""}, id="version-is-a-directory"),
        pytest.param(KernelConfigDetector(), {}, id="config-missing"),
        pytest.param(KernelConfigDetector(), {"/proc/config.gz/x": ""}, id="config-is-a-directory"),
        pytest.param(LoadedModulesDetector(), {}, id="modules-missing"),
        pytest.param(KernelCmdlineDetector(), {}, id="cmdline-missing"),
        pytest.param(SelinuxDetector(), {}, id="selinux-without-sys"),
        pytest.param(SelinuxDetector(), {"/sys/fs/selinux/status": ""}, id="selinux-not-mounted"),
    ],
)
def test_what_cannot_be_read_is_not_known(make_host: MakeHost, detector: Detector, files: dict[str, str]) -> None:
    with pytest.raises(CannotLookError):
        detector.detect(make_host({**files}))


def test_an_empty_command_line_is_known_to_be_empty(make_host: MakeHost) -> None:
    assert KernelCmdlineDetector().detect(make_host({"/proc/cmdline": ""})) == Facts(attributes={"kernel.cmdline": {}})
