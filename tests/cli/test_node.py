"""``imagefit node``: a table for people, a profile that gives the same answers anywhere."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from builders import entry, index_bytes
from cli.conftest import COLUMNS, Imagefit
from imagefit.cli.cpu_name import cpu_name
from imagefit.cli.node import show_node
from imagefit.formats.node_profile import parse_profile
from imagefit.model.facts import Facts
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


_PCI = {"class": "0x030200", "vendor": "0x10de", "subsystem_vendor": "0x10de", "subsystem_device": "0x1"}


@pytest.fixture
def root(config: Path, tmp_path: Path) -> Path:
    """The root that the configuration names."""
    config.write_text(config.read_text() + f'[node]\nroot = "{tmp_path}/root"\n')
    return tmp_path / "root"


def _write(root: Path, files: Mapping[str, str]) -> None:
    for path, content in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        file.chmod(0o644)


def _row(out: str, feature: str) -> list[str]:
    (line,) = (line for line in out.splitlines() if line.startswith(f"{feature} "))
    return line.rstrip().split(maxsplit=2)[1:]


def test_instances_are_shown_by_what_they_are_and_equal_ones_counted(imagefit: Imagefit, root: Path) -> None:
    gpus = {"2330": range(8), "2331": range(8, 9)}
    for device, numbers in gpus.items():
        for number in numbers:
            where = f"sys/bus/pci/devices/0000:0{number}:00.0"
            _write(root, {f"{where}/{name}": value for name, value in (_PCI | {"device": f"0x{device}"}).items()})
            information = f"Model: NVIDIA H100 ({device})\n"
            _write(root, {f"proc/driver/nvidia/gpus/0000:0{number}:00.0/information": information})
    _write(root, {"proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue\n"})
    _write(root, {"sys/class/infiniband/mlx5_0/ports/1/link_layer": "InfiniBand"})
    out = imagefit("node").out
    assert max(map(len, out.splitlines())) <= COLUMNS
    assert _row(out, "pci.device") == ["9", "8x 0302 10de:2330, 0302 10de:2331"]
    assert _row(out, "nvidia.gpu") == ["9", "8x NVIDIA H100 (2330), NVIDIA H100 (2331)"]
    assert _row(out, "rdma.device") == ["1", "mlx5_0 InfiniBand ?"]
    assert _row(out, "amd.gpu") == ["0", "none"]


def test_instances_that_nobody_described_are_shown_whole(imagefit: Imagefit, root: Path) -> None:
    facts = '[[instances."example.fpga"]]\nvendor = "10ee"\nname = "' + "x" * 99 + '"\n'
    _write(root, {"etc/imagefit/facts.d/a.toml": facts})
    count, shown = _row(imagefit("node").out, "example.fpga")
    assert (count, shown.startswith("vendor=10ee")) == ("1", True)


def test_what_is_not_known_is_named_with_its_reason(imagefit: Imagefit, root: Path) -> None:
    _write(root, {"proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue\n"})
    lines = [line.rstrip() for line in imagefit("node").out.splitlines()]
    start = next(number for number, line in enumerate(lines) if line.split() == ["NOT", "KNOWN", "WHY"])
    assert any(line.startswith("nvidia.cuda ") and "running machine only" in line for line in lines[start:])
    assert any(line.split()[:1] == ["nvidia.device"] for line in lines[start:])
    assert any(line.startswith("operator.fact ") and "/etc/imagefit/facts.d" in line for line in lines[start:])
    assert not any(line.startswith("nvidia.driver") for line in lines[start:])


def test_a_file_that_is_left_out_is_named_with_its_fault(imagefit: Imagefit, root: Path) -> None:
    _write(root, {"etc/imagefit/facts.d/a.toml": "[fact]\na = 1\n", "etc/imagefit/facts.d/b.toml": "facts.b = 1\n"})
    out = imagefit("node").out
    words = " ".join(out.split())
    assert "left out: /etc/imagefit/facts.d/a.toml: unknown table 'fact'; known are facts, flags" in words
    assert _row(out, "operator.fact") == ["1", "b=1"]


def test_a_detector_that_broke_is_named(imagefit: Imagefit, config: Path, tmp_path: Path, root: Path) -> None:
    package = tmp_path / "site_facts-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: site-facts\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[imagefit.detectors]\nsite = no_such_module:Site\n")
    config.write_text(config.read_text() + 'detectors = ["site"]\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        ended = imagefit("node")
    assert ended.code == 0
    words = " ".join(ended.out.split())
    assert "nothing detector site broke: ModuleNotFoundError: No module named 'no_such_module'" in words
    refused = imagefit("node")
    assert (refused.code, "'site'" in refused.err) == (2, True)


def _power() -> Mapping[str, object]:
    return {"brand_raw": "POWER9 (raw), altivec supported", "arch_string_raw": "ppc64le"}


def _never() -> Mapping[str, object]:
    raise AssertionError("py-cpuinfo was asked")


def _missing() -> Mapping[str, object]:
    raise ModuleNotFoundError("No module named 'cpuinfo'")


def _fails() -> Mapping[str, object]:
    raise ValueError("no JSON")


_MODEL = Facts(attributes={"cpu.model": {"vendor_id": "AMD"}})
_NAMED = Facts(flags={"cpu.microarchitecture": frozenset({"ppc64le", "power9le"})})
_UNNAMED = Facts(flags={"cpu.microarchitecture": frozenset({"ppc64le"})})


def test_a_cpu_that_nothing_else_names_is_asked_for() -> None:
    for facts in (_UNNAMED, Facts()):
        assert cpu_name(facts, HostView(), _power).startswith("POWER9 (raw), altivec supported")
    assert cpu_name(_UNNAMED, HostView(), lambda: {"brand_raw": "", "arch_string_raw": "riscv64"}).startswith("riscv64")
    assert cpu_name(_UNNAMED, HostView(), dict) == "not named by anything"
    assert "pip install 'imagefit[cpuinfo]'" in cpu_name(_UNNAMED, HostView(), _missing)
    assert cpu_name(_UNNAMED, HostView(), _fails) == "not named, and py-cpuinfo failed: ValueError"


def test_a_cpu_that_is_named_or_of_another_machine_is_not_asked_for(tmp_path: Path) -> None:
    assert cpu_name(_MODEL, HostView(), _never) == ""
    assert cpu_name(_NAMED, HostView(), _never) == ""
    assert cpu_name(_UNNAMED, HostView(tmp_path), _never) == ""


def test_a_profile_never_waits_for_it(config: Path) -> None:
    assert show_node(config, as_json=True, ask=_never) == 0
