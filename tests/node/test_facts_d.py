"""What the operator states: the files' form, who may write them, and what a bad one costs."""

import os
from pathlib import Path

import pytest

from imagefit.model.facts import Facts
from imagefit.node.contract import HostView, NotThereError
from imagefit.node.detectors.facts_d import FactsDDetector, parse_facts
from node.conftest import MakeHost

_DIRECTORY = "/etc/imagefit/facts.d"


def _read(text: str) -> Facts:
    return parse_facts(text.encode())


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        pytest.param('"org.example.mpi" = "4.1.5"', {"org.example.mpi": "4.1.5"}, id="text"),
        pytest.param('org.example.mpi = "4.1.5"', {"org.example.mpi": "4.1.5"}, id="dots-without-quotes"),
        pytest.param('[facts.org.example]\nmpi = "4.1.5"', {"org.example.mpi": "4.1.5"}, id="a-table-below"),
        pytest.param("a = true\nb = false", {"a": "true", "b": "false"}, id="booleans"),
        pytest.param("a = 12\nb = -1\nc = 0x1f", {"a": "12", "b": "-1", "c": "31"}, id="whole-numbers"),
        pytest.param("a = 1.5\nb = 2.0", {"a": "1.5", "b": "2.0"}, id="fractions"),
        pytest.param('a = ""', {"a": ""}, id="an-empty-text"),
    ],
)
def test_free_facts_are_texts(text: str, facts: dict[str, str]) -> None:
    assert _read(f"[facts]\n{text}\n").attributes == {"operator.fact": facts}


def test_any_feature_can_be_added_to_in_each_of_nfds_shapes() -> None:
    facts = _read(
        '[flags]\n"site.queue" = ["gpu", "long"]\ncpu.cpuid = ["SITE"]\n'
        '[attributes."system.site"]\nname = "basel"\nrack = 12\n'
        '[attributes.system.osrelease]\n"VERSION_ID.major" = 12\n'
        '[[instances."example.fpga"]]\nvendor = "10ee"\nready = true\n[[instances."example.fpga"]]\nvendor = "1172"\n'
    )
    assert facts == Facts(
        flags={"site.queue": frozenset({"gpu", "long"}), "cpu.cpuid": frozenset({"SITE"})},
        attributes={
            "system.site": {"name": "basel", "rack": "12"},
            "system.osrelease": {"VERSION_ID.major": "12"},
        },
        instances={"example.fpga": ({"vendor": "10ee", "ready": "true"}, {"vendor": "1172"})},
    )


def test_a_feature_may_be_stated_to_have_nothing() -> None:
    facts = _read('[flags]\n"a.b" = []\n[instances]\n"c.d" = []\n')
    assert facts == Facts(flags={"a.b": frozenset()}, instances={"c.d": ()})


def test_free_facts_and_their_feature_by_name_add_up() -> None:
    facts = _read('[facts]\na = 1\n[attributes."operator.fact"]\na = 0\nb = 2\n')
    assert facts.attributes == {"operator.fact": {"a": "1", "b": "2"}}


@pytest.mark.parametrize("text", ["", "# nothing\n", "[facts]\n", "[flags]\n[attributes]\n[instances]\n"])
def test_a_file_that_states_nothing_covers_nothing(text: str) -> None:
    assert _read(text) == Facts()


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        pytest.param(b"\n[facts\na = 1", "line 2", id="no-toml"),
        pytest.param(b"[facts]\na = '\xff'", "utf-8", id="not-utf-8"),
        pytest.param(b"[facts]\na = 1\na = 2\n", "line 3", id="twice"),
        pytest.param(b"a = " + b"[\n" * 5000, "nested", id="nested-lists"),
        pytest.param(b"[facts]\n" + b".".join([b"a"] * 40) + b" = 1", "facts: nested too deeply", id="nested-tables"),
        pytest.param(b"[fact]\na = 1", "unknown table 'fact'; known are facts, flags", id="unknown-table"),
        pytest.param(b"facts = 3", "a value without a name", id="no-table"),
        pytest.param(b"[facts]\n'' = 3", "a value without a name", id="no-name"),
        pytest.param(b"[facts]\na = [1]", "facts.a is no text, number or boolean", id="a-list"),
        pytest.param(b"[facts]\na = 1979-05-27", "facts.a is no text, number or boolean", id="a-date"),
        pytest.param(b"[facts]\na = nan", "facts.a is no text, number or boolean", id="no-number"),
        pytest.param(b"[facts]\na = -inf", "facts.a is no text, number or boolean", id="infinite"),
        pytest.param(b"[facts]\na = " + b"9" * 5000, "a line is longer than 2048 bytes", id="too-many-digits"),
        pytest.param(b"[facts]\n" + b".".join([b"a"] * 30_000) + b" = 1", "a line is longer", id="a-slow-name"),
        pytest.param((b"[facts]\n" + b"." * 900 + b"\n") * 12, "more than 10000 dots", id="many-slow-names"),
        pytest.param(b"[flags]\n'a.b' = 'X'", "flags.a.b is no list of texts", id="flags-text"),
        pytest.param(b"[flags]\n'a.b' = [1]", "flags.a.b is no list of texts", id="flags-numbers"),
        pytest.param(b"[attributes]\nname = 'x'", "without an element", id="attribute-without-feature"),
        pytest.param(b"[attributes.'a.b']\nx = []", "attributes.a.b.x is no text", id="attribute-list"),
        pytest.param(b"[instances.'a.b']\nx = 1", "write [[instances.a.b.x]]", id="instances-one-table"),
        pytest.param(b"[[instances.'a.b']]\nx = {y = 1}", "instances.a.b.x is no text", id="instances-nested"),
        pytest.param(b"[facts]\n'" + b"x" * 999 + b"' = []", f"facts.{'x' * 74} is no text", id="a-long-name"),
    ],
)
def test_a_fault_is_named(content: bytes, fault: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - its text is what matters
        parse_facts(content)
    assert fault in str(caught.value)


def _strict(host: HostView) -> HostView:
    """Give files the mode that they have on a machine that is kept well."""
    for file in filter(Path.is_file, Path(host.root, *_DIRECTORY.split("/")).iterdir()):
        file.chmod(0o644)
    return host


def test_files_add_up_in_the_order_of_their_names(make_host: MakeHost) -> None:
    host = _strict(
        make_host(
            {
                f"{_DIRECTORY}/20-b.toml": "[facts]\na = 2\nb = 2\n[[instances.x.y]]\nz = 2\n",
                f"{_DIRECTORY}/10-a.toml": "[facts]\na = 1\nc = 1\n[[instances.x.y]]\nz = 1\n",
                f"{_DIRECTORY}/.30-c.toml": "[facts]\na = 3\n",
                f"{_DIRECTORY}/40-d.toml~": "[facts]\na = 4\n",
            }
        )
    )
    found = FactsDDetector().detect(host)
    assert found.warnings == ()
    assert found.facts.attributes == {"operator.fact": {"a": "2", "b": "2", "c": "1"}}
    assert found.facts.instances == {"x.y": ({"z": "1"}, {"z": "2"})}


def test_a_bad_file_costs_itself_and_is_named(make_host: MakeHost) -> None:
    host = _strict(
        make_host(
            {
                f"{_DIRECTORY}/a.toml": "[facts]\na = 1\nx = []\n",
                f"{_DIRECTORY}/b.toml": "[facts]\nb = 1\n",
                f"{_DIRECTORY}/c.toml": "#" * 70_000,
                f"{_DIRECTORY}/d.toml/x": "",
            }
        )
    )
    found = FactsDDetector().detect(host)
    assert found.facts.attributes == {"operator.fact": {"b": "1"}}
    assert found.warnings == (
        f"{_DIRECTORY}/a.toml: facts.x is no text, number or boolean",
        f"{_DIRECTORY}/c.toml is larger than 65536 bytes",
        f"{_DIRECTORY}/d.toml is not a regular file",
    )


@pytest.mark.parametrize(("mode", "is_read"), [(0o644, True), (0o600, True), (0o664, False), (0o646, False)])
def test_a_file_that_others_can_write_is_refused(make_host: MakeHost, mode: int, *, is_read: bool) -> None:
    host = make_host({f"{_DIRECTORY}/a.toml": "[facts]\na = 1\n"})
    (Path(host.root) / "etc/imagefit/facts.d/a.toml").chmod(mode)
    found = FactsDDetector().detect(host)
    assert found.facts.covers("operator.fact") is is_read
    refusal = f"{_DIRECTORY}/a.toml can be written by others than its owner (mode {mode:o})"
    assert found.warnings == (() if is_read else (refusal,))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(make_host: MakeHost) -> None:
    host = _strict(make_host({f"{_DIRECTORY}/a.toml": "[facts]\na = 1\n"}))
    os.chown(Path(host.root) / "etc/imagefit/facts.d/a.toml", 1234, 0)
    found = FactsDDetector().detect(host)
    assert (found.facts, found.warnings) == (Facts(), (f"{_DIRECTORY}/a.toml belongs to user 1234, not to root",))


def test_so_many_files_are_read_and_no_more(make_host: MakeHost) -> None:
    host = _strict(make_host({f"{_DIRECTORY}/{number:03}.toml": f"facts.f{number} = 1" for number in range(257)}))
    found = FactsDDetector().detect(host)
    assert len(found.facts.attributes["operator.fact"]) == 256
    assert found.warnings == (f"{_DIRECTORY}: of 257 files only the first 256 are read",)


def test_without_the_directory_nothing_is_stated(make_host: MakeHost) -> None:
    with pytest.raises(NotThereError):
        FactsDDetector().detect(make_host({"/etc/imagefit/config.toml": ""}))


def test_a_directory_without_files_covers_nothing(make_host: MakeHost) -> None:
    assert FactsDDetector().detect(make_host({f"{_DIRECTORY}/README": "x"})).facts == Facts()
