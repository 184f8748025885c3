"""``imagefit node``: a table for people, a profile that gives the same answers anywhere."""

import json
from pathlib import Path

import pytest

from builders import entry, index_bytes
from cli.conftest import COLUMNS, Imagefit
from imagefit.formats.node_profile import parse_profile
from imagefit.node.collect import collect
from imagefit.node.contract import HostView


def test_a_table_fits_the_terminal_and_names_every_feature(imagefit: Imagefit) -> None:
    ended = imagefit("node")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    here = collect(HostView()).node
    assert lines[0] == "/".join(part for part in (here.os, here.architecture, here.variant) if part)
    assert lines[1].split() == ["FEATURE", "COUNT", "FACTS"]
    assert max(map(len, lines)) <= COLUMNS
    for feature in (*here.facts.flags, *here.facts.attributes, *here.facts.instances):
        assert any(line.startswith(f"{feature} ") for line in lines)


def test_json_is_a_profile_of_this_node(imagefit: Imagefit) -> None:
    ended = imagefit("node", "-o", "json")
    assert (ended.code, ended.err) == (0, "")
    assert parse_profile(ended.out.encode()) == collect(HostView()).node


def test_a_profile_gives_the_same_explanation_as_the_node(imagefit: Imagefit, tmp_path: Path) -> None:
    here = collect(HostView()).node
    platform = f"linux/{here.architecture}"
    sets = [
        [{"oci.kernel.version": ">=2.6"}],
        [{"oci.kernel.version": "<2.6"}],
        [{"oci.cpu.features": "no-such-feature"}],
        [{"org.example.nobody-knows": "1"}],
    ]
    index = tmp_path / "index.json"
    index.write_bytes(
        index_bytes(*(entry(str(number), platform, compatibilities=one) for number, one in enumerate(sets)))
    )
    profile = tmp_path / "node.json"
    profile.write_text(imagefit("node", "-o", "json").out)
    for output in ("json", "table"):
        live = imagefit("explain", str(index), "-o", output)
        assert imagefit("explain", str(index), "-o", output, "--node", str(profile)) == live
    assert json.loads(imagefit("explain", str(index), "-o", "json").out)["chosen"]["position"] == 0


def test_the_root_is_the_configurations(imagefit: Imagefit, config: Path, tmp_path: Path) -> None:
    config.write_text(config.read_text() + f'[node]\nroot = "{tmp_path}/empty"\n')
    (tmp_path / "empty").mkdir()
    ended = imagefit("node", "-o", "json")
    assert ended.code == 0
    assert "cpu.cpuid" not in json.loads(ended.out)["features"]["flags"]
    table = imagefit("node")
    assert table.code == 0
    assert max(map(len, table.out.splitlines())) <= COLUMNS


@pytest.mark.parametrize("output", ["table", "json"])
def test_no_control_character_of_the_host_reaches_the_terminal(
    imagefit: Imagefit, config: Path, tmp_path: Path, output: str
) -> None:
    release = tmp_path / "root" / "etc" / "os-release"
    release.parent.mkdir(parents=True)
    release.write_text('ID="\x1b[31mred\x07"\nNAME="x\x1b]0;title\x07"\n')
    config.write_text(config.read_text() + f'[node]\nroot = "{tmp_path}/root"\n')
    ended = imagefit("node", "-o", output)
    assert ended.code == 0
    assert "\x1b" not in ended.out
    assert "\x07" not in ended.out
