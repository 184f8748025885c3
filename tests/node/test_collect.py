"""All detectors together: one that breaks costs only itself."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from imagefit.library import evaluate
from imagefit.model.facts import Facts
from imagefit.node.collect import collect, platform_of
from imagefit.node.contract import CannotLookError, HostView, Partial
from imagefit.node.detectors import DETECTORS


@dataclass(frozen=True)
class _Fixed:
    """Answers the same on every host, or raises."""

    name: str
    features: tuple[str, ...]
    answer: Facts | Partial | BaseException

    def detect(self, host: HostView) -> Facts | Partial:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


_GOOD = _Fixed("good", ("a.flags", "a.missing"), Facts(flags={"a.flags": frozenset({"X"})}))


def test_a_broken_detector_costs_only_itself(tmp_path: Path) -> None:
    broken = _Fixed("broken", ("b.flags",), ZeroDivisionError("by zero"))
    collected = collect(HostView(tmp_path, machine="x86_64"), (broken, _GOOD))
    assert collected.node.facts.flags == {"a.flags": frozenset({"X"})}
    assert collected.node.facts.unseen == {"b.flags", "a.missing"}
    first, second = collected.reports
    assert (first.name, first.ok, first.message) == ("broken", False, "ZeroDivisionError: by zero")
    assert first.uncovered == ("b.flags",)
    assert (second.name, second.ok, second.message, second.uncovered) == ("good", True, "", ("a.missing",))
    assert first.seconds >= 0


def test_a_detector_that_wants_to_end_the_process_is_broken(tmp_path: Path) -> None:
    collected = collect(HostView(tmp_path), (_Fixed("quits", (), SystemExit(3)), _GOOD))
    assert [(report.ok, report.message) for report in collected.reports] == [(False, "SystemExit: 3"), (True, "")]


def test_bad_parts_of_a_source_are_named_and_the_rest_counts(tmp_path: Path) -> None:
    facts = Facts(flags={"a.flags": frozenset({"X"})})
    partial = _Fixed("partial", ("a.flags", "b.flags"), Partial(facts, ("/etc/x: no", "/etc/y: no")))
    collected = collect(HostView(tmp_path), (partial,))
    (report,) = collected.reports
    assert (report.ok, report.warnings, report.uncovered) == (True, ("/etc/x: no", "/etc/y: no"), ("b.flags",))
    assert collected.node.facts.flags == facts.flags


def test_what_the_operator_states_stands_over_every_detector() -> None:
    assert DETECTORS[-1].features == ("operator.fact",)


def test_a_source_that_cannot_be_read_is_no_failure(tmp_path: Path) -> None:
    blind = _Fixed("blind", ("b.flags",), CannotLookError("/proc/x: Permission denied"))
    collected = collect(HostView(tmp_path, machine="x86_64"), (blind,))
    (report,) = collected.reports
    assert (report.ok, report.message, report.uncovered) == (True, "/proc/x: Permission denied", ("b.flags",))
    assert not collected.node.facts.covers("b.flags")


class _Locked(HostView):
    """A host on which nothing may be read."""

    def read_start(self, path: str, size_bytes: int) -> bytes:
        raise CannotLookError(f"{path}: Permission denied")

    def list_dir(self, path: str) -> tuple[str, ...]:
        raise CannotLookError(f"{path}: Permission denied")

    def exists(self, path: str) -> bool:
        raise CannotLookError(f"{path}: Permission denied")


def test_a_locked_host_is_covered_by_nothing_and_nothing_breaks(tmp_path: Path) -> None:
    collected = collect(_Locked(tmp_path, machine="x86_64"))
    assert all(report.ok and report.message for report in collected.reports)
    assert all(report.uncovered for report in collected.reports)
    unseen = frozenset(feature for report in collected.reports for feature in report.uncovered)
    assert collected.node.facts == Facts(unseen=unseen)


def test_an_empty_host_breaks_nothing(tmp_path: Path) -> None:
    collected = collect(HostView(tmp_path))
    assert [report.message for report in collected.reports if not report.ok] == []
    assert collected.node.architecture == ""
    assert not any(map(collected.node.facts.covers, collected.node.facts.unseen))


def test_this_machine_can_be_looked_at() -> None:
    collected = collect(HostView())
    assert [report.message for report in collected.reports if not report.ok] == []
    assert collected.node.os == "linux"
    assert collected.node.architecture
    assert collected.node.facts.covers("kernel.version")


def test_every_feature_has_one_detector_and_every_detector_a_name_of_its_own() -> None:
    features = [feature for detector in DETECTORS for feature in detector.features]
    assert len(set(features)) == len(features)
    assert len({detector.name for detector in DETECTORS}) == len(DETECTORS)


def _with(*flags: str) -> Facts:
    return Facts(flags={"cpu.cpuid": frozenset(flags)})


@pytest.mark.parametrize(
    ("machine", "facts", "platform"),
    [
        pytest.param("x86_64", _with(), ("amd64", "v1"), id="amd64-at-least-v1"),
        pytest.param("x86_64", Facts(), ("amd64", ""), id="amd64-unread"),
        pytest.param("aarch64", _with("FP", "ASIMD", "ATOMICS", "ASIMDRDM", "CRC32"), ("arm64", "v8.1"), id="arm64"),
        pytest.param("aarch64", _with(), ("arm64", "v8"), id="arm64-at-least-v8"),
        pytest.param("armv7l", _with(), ("arm", "v7"), id="arm-v7"),
        pytest.param("armv6l", Facts(), ("arm", "v6"), id="arm-v6"),
        pytest.param("i686", _with("SSE2"), ("386", ""), id="386"),
        pytest.param("ppc64le", Facts(), ("ppc64le", ""), id="ppc64le"),
        pytest.param("riscv64", Facts(), ("riscv64", ""), id="riscv64"),
        pytest.param("s390x", _with("VXE"), ("s390x", ""), id="s390x"),
        pytest.param("loongarch64", Facts(), ("loong64", ""), id="loong64"),
    ],
)
def test_machines_are_named_as_oci_does(machine: str, facts: Facts, platform: tuple[str, str]) -> None:
    assert platform_of(machine, facts) == platform


@pytest.mark.parametrize(
    ("machine", "cpuinfo", "platform"),
    [
        pytest.param("ppc64le", "processor : 0\ncpu\t: POWER9 (raw)\n", ("ppc64le", "power9"), id="ppc64le"),
        pytest.param("riscv64", "processor : 0\nisa\t: rv64imafdc\n", ("riscv64", "rva20u64"), id="riscv64"),
        pytest.param("riscv64", "processor : 0\n", ("riscv64", ""), id="kernel-names-no-isa"),
        pytest.param("riscv64", "", ("riscv64", ""), id="empty"),
        pytest.param("s390x", "processor : 0\ncpu\t: POWER9\n", ("s390x", ""), id="another-machine"),
    ],
)
def test_where_flags_tell_no_level_the_cpus_name_does(
    tmp_path: Path, machine: str, cpuinfo: str, platform: tuple[str, str]
) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text(cpuinfo)
    node = collect(HostView(tmp_path, machine=machine), ()).node
    assert (node.architecture, node.variant) == platform


_BLIND = _Fixed("blind", ("kernel.config",), CannotLookError("no configuration"))
_STATING = _Fixed("facts-d", ("operator.fact",), Facts(attributes={"kernel.config": {"PREEMPT": "y"}}))
_LOOKING = _Fixed("plug-in", ("kernel.config",), Facts(attributes={"kernel.config": {"NUMA": "y"}}))


@pytest.mark.parametrize(
    ("detectors", "label", "expected"),
    [
        pytest.param((_BLIND, _STATING), "PREEMPT", "yes", id="what is stated holds"),
        pytest.param((_BLIND, _STATING), "OVERLAY_FS", "unknown", id="what is not stated stays unknown"),
        pytest.param((_BLIND, _LOOKING), "OVERLAY_FS", "no", id="another detector that looked"),
        pytest.param((_LOOKING, _STATING), "OVERLAY_FS", "no", id="stated beside what was looked at"),
    ],
)
def test_what_the_operator_states_makes_nothing_else_known(
    detectors: tuple[_Fixed, ...], label: str, expected: str, tmp_path: Path
) -> None:
    node = collect(HostView(tmp_path, machine="x86_64"), detectors).node
    assert evaluate(b'[{"oci.kernel.configurations": "%s"}]' % label.encode(), node).truth == expected

    term = {"feature": "kernel.config", "matchExpressions": {label: {"op": "Exists"}}}
    rule = json.dumps({"compatibilities": [{"rules": [{"name": "r", "matchFeatures": [term]}]}]})
    assert evaluate(rule.encode(), node).truth == expected
