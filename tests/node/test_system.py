"""The distribution, its C library and its memory."""

import pytest

from imagefit.node.contract import CannotLookError, Detector
from imagefit.node.detectors.libc import LibcDetector, describe, glibc_version, musl_version
from imagefit.node.detectors.memory import (
    HugepagesDetector,
    NumaDetector,
    SwapDetector,
    has_swap,
    parse_hugepages,
    parse_nodes,
)
from imagefit.node.detectors.os_release import OsReleaseDetector, parse_os_release
from node.conftest import MakeHost

_GLIBC = b"\0GNU C Library (Debian GLIBC 2.36-9+deb12u4) stable release version 2.36.\n"
_MUSL = b"musl libc (x86_64)\nVersion %s\n\x00127.0.0.1\x001.2.4\0"


@pytest.mark.parametrize(
    ("text", "release"),
    [
        pytest.param('ID=ubuntu\nVERSION_ID="22.04"\n', ("ubuntu", "22.04", "22", "04"), id="ubuntu"),
        pytest.param("VERSION_ID='12'\nID=debian\n", ("debian", "12", "12", None), id="major-only"),
        pytest.param("ID=alpine\nVERSION_ID=3.19.1\n", ("alpine", "3.19.1", "3", "19"), id="three-numbers"),
        pytest.param("ID=arch\n# ID=x\n\nVERSION ID=1\n", ("arch", None, None, None), id="rolling"),
        pytest.param("ID=sid\nVERSION_ID=testing\n", ("sid", "testing", None, None), id="no-number"),
    ],
)
def test_os_release_is_split_as_nfd_does(text: str, release: tuple[str | None, ...]) -> None:
    names = ("ID", "VERSION_ID", "VERSION_ID.major", "VERSION_ID.minor")
    assert parse_os_release(text) == {name: value for name, value in zip(names, release, strict=True) if value}


def test_quotes_and_escapes_of_the_shell_are_taken_off() -> None:
    assert parse_os_release('A="a \\"b\\" \\$c"\nB=\'a "b"\'\nC="\n') == {"A": 'a "b" $c', "B": 'a "b"', "C": '"'}


def test_spaces_at_the_end_of_a_line_are_left_out_in_no_time() -> None:
    # What goes back over them for every one of them takes minutes.
    spaces = "\t \t" * 100_000
    assert parse_os_release(f"A=a b{spaces}\nB={spaces}c{spaces}") == {"A": "a b", "B": f"{spaces}c"}


def test_the_vendors_os_release_stands_in_for_a_missing_one(make_host: MakeHost) -> None:
    host = make_host({"/usr/lib/os-release": "ID=vendor\n"})
    assert OsReleaseDetector().detect(host).attributes == {"system.osrelease": {"ID": "vendor"}}


@pytest.mark.parametrize(
    ("content", "version"),
    [
        pytest.param(_GLIBC, "2.36", id="debian"),
        pytest.param(b"GNU C Library (GNU libc) stable release version 2.34.\n", "2.34", id="redhat"),
        pytest.param(b"GNU C Library (GNU libc) development release version 2.39.9000.\n", "2.39.9000", id="git"),
        pytest.param(b"GNU C Library stable release version 2.12, by Roland", "2.12", id="old"),
        pytest.param(b"GNU C Library (no version here)\n version 2.1", "", id="another-line"),
        pytest.param(_MUSL, "", id="musl"),
        pytest.param(b"", "", id="empty"),
    ],
)
def test_glibc_names_its_version(content: bytes, version: str) -> None:
    assert glibc_version(content) == version


@pytest.mark.parametrize(
    ("content", "version"),
    [
        pytest.param(_MUSL, "1.2.4", id="release"),
        pytest.param(b"musl libc\0/proc/self/fd/\x001.2.5_git20240512\0", "1.2.5", id="git"),
        pytest.param(b"musl libc\x00127.0.0.1\0", "", id="an-address"),
        pytest.param(b"\x001.2.4\0", "", id="no-banner"),
        pytest.param(_GLIBC, "", id="glibc"),
    ],
)
def test_musl_holds_its_version(content: bytes, version: str) -> None:
    assert musl_version(content) == version


@pytest.mark.parametrize(
    "path",
    [
        "/lib/x86_64-linux-gnu/libc.so.6",
        "/usr/lib/x86_64-linux-gnu/libc.so.6",
        "/lib64/libc.so.6",
        "/usr/lib64/libc.so.6",
        "/lib/libc.so.6",
    ],
)
def test_glibc_is_found_where_distributions_put_it(make_host: MakeHost, path: str) -> None:
    found = {"glibc": "2.36", "name": "glibc", "version": "2.36"}
    assert LibcDetector().detect(make_host({path: _GLIBC})).attributes == {"system.libc": found}


def test_both_libraries_may_be_there(make_host: MakeHost) -> None:
    host = make_host({"/lib64/libc.so.6": _GLIBC, "/lib/ld-musl-x86_64.so.1": _MUSL})
    assert LibcDetector().detect(host).attributes == {"system.libc": describe("2.36", "1.2.4")}
    assert describe("2.36", "1.2.4") == {"glibc": "2.36", "musl": "1.2.4", "name": "glibc", "version": "2.36"}
    assert describe("", "1.2.4") == {"musl": "1.2.4", "name": "musl", "version": "1.2.4"}


def test_a_host_without_a_c_library_is_known_to_have_none(make_host: MakeHost) -> None:
    assert LibcDetector().detect(make_host({"/usr/lib/x": ""})).attributes == {"system.libc": {}}


@pytest.mark.parametrize(
    ("names", "is_numa", "count"),
    [(("node0", "online", "possible"), "false", "1"), (("node0", "node1", "node10"), "true", "3"), ((), "false", "0")],
)
def test_more_than_one_node_is_numa(names: tuple[str, ...], is_numa: str, count: str) -> None:
    assert parse_nodes(names) == {"is_numa": is_numa, "node_count": count}


@pytest.mark.parametrize(("text", "swap"), [("Filename Type\n", False), ("Filename\n/dev/a 1\n", True), ("", False)])
def test_swap_is_what_stands_below_the_heading(text: str, *, swap: bool) -> None:
    assert has_swap(text) is swap


def test_huge_pages_are_counted_by_size_as_kubernetes_writes_it() -> None:
    totals = {"hugepages-2048kB": "0\n", "hugepages-1048576kB": "4\n", "hugepages-64kB": "0\n", "other": "9"}
    assert parse_hugepages(totals) == {
        "enabled": "true",
        "hugepages-2Mi": "0",
        "hugepages-1Gi": "4",
        "hugepages-64Ki": "0",
    }


def test_pools_that_are_empty_are_not_enabled(make_host: MakeHost) -> None:
    assert parse_hugepages({"hugepages-2048kB": "0\n"})["enabled"] == "false"
    host = make_host({"/sys/kernel/mm/ksm/run": "0"})
    assert HugepagesDetector().detect(host).attributes == {"memory.hugepages": {"enabled": "false"}}


@pytest.mark.parametrize(
    ("detector", "files"),
    [
        pytest.param(OsReleaseDetector(), {}, id="os-release-missing"),
        pytest.param(OsReleaseDetector(), {"/etc/os-release/x": "", "/usr/lib/os-release": "ID=a"}, id="os-release"),
        pytest.param(LibcDetector(), {"/etc/x": ""}, id="libc-no-directory"),
        pytest.param(LibcDetector(), {"/lib64/libc.so.6": "stub"}, id="libc-without-banner"),
        pytest.param(LibcDetector(), {"/lib64/libc.so.6/x": ""}, id="libc-is-a-directory"),
        pytest.param(NumaDetector(), {}, id="numa"),
        pytest.param(SwapDetector(), {}, id="swap"),
        pytest.param(HugepagesDetector(), {}, id="hugepages"),
    ],
)
def test_what_cannot_be_read_is_not_known(make_host: MakeHost, detector: Detector, files: dict[str, str]) -> None:
    with pytest.raises(CannotLookError):
        detector.detect(make_host({**files}))
