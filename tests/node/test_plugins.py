"""Detectors of other packages: only those that are named, and no fault of theirs costs more than themselves."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagefit.model.facts import Facts
from imagefit.node.collect import Collected, collect
from imagefit.node.contract import CannotLookError, HostView, Partial
from imagefit.node.detectors import DETECTORS
from imagefit.node.plugins import GROUP, Plugin, detectors_of, installed_plugins


class _Site:
    """A plug-in as it should be."""

    name = "its own name"
    features = ("site.rack",)

    def detect(self, host: HostView) -> Facts:
        return Facts(attributes={"site.rack": {"root": host.root}})


def _collected(plugin: Callable[[], Any], root: Path) -> Collected:
    return collect(HostView(root), (Plugin("site", plugin),))


def _answering(answer: Callable[[], object]) -> Callable[[], Any]:
    return lambda: type("Answering", (_Site,), {"detect": lambda self, host: answer()})


def test_a_plug_in_is_a_detector_by_the_name_that_the_operator_gave(tmp_path: Path) -> None:
    collected = _collected(lambda: _Site, tmp_path)
    (report,) = collected.reports
    assert (report.name, report.ok, report.uncovered) == ("site", True, ())
    assert collected.node.facts.attributes == {"site.rack": {"root": str(tmp_path)}}


def test_it_is_loaded_once(tmp_path: Path) -> None:
    loads: list[int] = []

    def load() -> type[_Site]:
        loads.append(1)
        return _Site

    plugin = Plugin("site", load)
    assert loads == []
    assert plugin.detect(HostView(tmp_path)) == plugin.detect(HostView(tmp_path))
    assert loads == [1]


def test_its_warnings_and_what_it_cannot_read_are_told_as_ours_are(tmp_path: Path) -> None:
    (report,) = _collected(_answering(lambda: Partial(Facts(), ("x: bad",))), tmp_path).reports
    assert (report.ok, report.warnings, report.uncovered) == (True, ("x: bad",), ("site.rack",))

    def blind() -> Facts:
        raise CannotLookError("/dev/site: Permission denied")

    (report,) = _collected(_answering(blind), tmp_path).reports
    assert (report.ok, report.message) == (True, "/dev/site: Permission denied")


def _raise(error: BaseException) -> Any:
    raise error


@pytest.mark.parametrize(
    ("load", "message"),
    [
        pytest.param(lambda: _raise(ImportError("no module")), "ImportError: no module", id="not-importable"),
        pytest.param(lambda: _raise(SystemExit(1)), "SystemExit: 1", id="leaves-at-import"),
        pytest.param(lambda: 3, "TypeError: 'int' object is not callable", id="no-class"),
        pytest.param(lambda: lambda: None, "TypeError: NoneType is no detector: its features", id="makes-nothing"),
        pytest.param(lambda: lambda: _Site, "Site.detect() missing", id="makes-a-class"),
        pytest.param(lambda: type("F", (_Site,), {"features": "a.b"}), "TypeError: F is no detector", id="features"),
        pytest.param(lambda: type("F", (_Site,), {"features": (1,)}), "TypeError: F is no detector", id="no-texts"),
        pytest.param(lambda: type("D", (_Site,), {"detect": 1}), "D is no detector: it cannot detect", id="no-detect"),
        pytest.param(_answering(lambda: None), "TypeError: the answer is NoneType", id="answers-nothing"),
        pytest.param(_answering(dict), "TypeError: the answer is dict, not Facts", id="answers-a-dict"),
        pytest.param(_answering(lambda: Facts({"a": 3})), "TypeError: 'int' object is not iterable", id="bad-flags"),  # type: ignore[dict-item]
        pytest.param(_answering(lambda: Facts({}, {"a": []})), "AttributeError: 'list' object", id="bad-attributes"),  # type: ignore[dict-item]
        pytest.param(_answering(lambda: Facts([])), "AttributeError: 'list' object", id="bad-facts"),  # type: ignore[arg-type]
    ],
)
def test_a_plug_in_that_is_none_is_one_broken_report(load: Callable[[], Any], message: str, tmp_path: Path) -> None:
    collected = _collected(load, tmp_path)
    (report,) = collected.reports
    assert not report.ok
    assert message in report.message
    assert collected.node.facts == Facts(unseen=frozenset(report.uncovered))


def test_what_it_answers_is_made_of_texts(tmp_path: Path) -> None:
    answer = Facts({"a": ["X"]}, {"b": {"n": 1}}, {"c": [{"d": True}]})  # type: ignore[dict-item]
    facts = _collected(_answering(lambda: answer), tmp_path).node.facts
    assert (facts.flags, facts.attributes) == ({"a": frozenset({"X"})}, {"b": {"n": "1"}})
    assert facts.instances == {"c": ({"d": "True"},)}


def test_plug_ins_run_after_ours_and_before_what_the_operator_states() -> None:
    detectors = detectors_of(["b", "a"], lambda: {"a": lambda: _Site, "b": lambda: _Site, "c": lambda: _Site})
    assert [one.name for one in detectors] == [*(one.name for one in DETECTORS[:-1]), "b", "a", DETECTORS[-1].name]


def test_without_names_nobody_asks_what_is_installed() -> None:
    assert detectors_of((), lambda: _raise(AssertionError("asked"))) == DETECTORS


def test_one_that_is_gone_is_one_broken_report(tmp_path: Path) -> None:
    plugin = detectors_of(["gone"], dict)[-2]
    (report,) = collect(HostView(tmp_path), (plugin,)).reports
    assert (report.name, report.ok, report.message) == (
        "gone", False, "LookupError: no package that is installed has a detector of this name",
    )  # fmt: skip


def test_entry_points_of_the_group_are_the_plug_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site_facts-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: site-facts\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(f"[{GROUP}]\nsite = no_such_module:Site\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    (report,) = _collected(installed_plugins()["site"], tmp_path).reports
    assert report.message == "ModuleNotFoundError: No module named 'no_such_module'"
