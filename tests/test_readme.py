"""What the README shows works as shown."""

import json
import re
from pathlib import Path

import pytest

from builders import digest, index, node
from imagefit.cli.main import main
from imagefit.config import parse_config
from imagefit.model.policy import Criterion, Mode, Policy, Pull
from imagefit.model.truth import Truth
from imagefit.selection.session import Selection

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def _block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found
    return found[1]


def test_the_configuration_says_what_its_comments_say() -> None:
    policies = parse_config(_block("toml").encode(), "README.md").policies
    anywhere = policies.of(Pull("registry.example.org/web/app:1"))
    hpc = policies.of(Pull("registry.example.org/hpc/app:1"))
    wasm = policies.of(Pull("registry.example.org/web/app:1", runtime_handler="wasmtime"))
    assert (anywhere.mode, hpc.mode, wasm.mode) == (Mode.OBSERVE, Mode.ENFORCE, Mode.OBSERVE)
    assert [str(one) for one in hpc.require] == ["tag mpi"]
    assert [one.weight for one in hpc.prefer] == [5, -10]
    assert (anywhere.platforms, wasm.platforms) == ((), ("wasi/wasm",))
    assert Criterion.SPECIFICITY not in anywhere.order


def test_the_entry_is_read_without_a_problem_and_judged() -> None:
    entry = json.loads(_block("json").replace("sha256:…", digest("readme")))
    here = node(
        "linux/amd64/v3",
        flags={"cpu.cpuid": {"AVX2"}},
        attributes={"kernel.version": {"full": "6.1.0"}, "system.libc": {"glibc": "2.36"}},
        instances={"pci.device": ()},
    )
    verdict = Selection(index(entry), here, Policy()).decide().ranking[0].verdict
    assert [*verdict.problems] == []
    assert verdict.truth is Truth.YES
    assert verdict.documents[0].best == 1


def test_the_library_is_used_as_shown(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(_block("python"), "README.md", "exec"), {})  # noqa: S102 - it is our own page
    platform, verdict, decision = capsys.readouterr().out.splitlines()
    assert platform
    assert verdict.split()[0] in {"yes", "no"}
    assert "kernel.version full is" in verdict
    assert decision == "None []"


@pytest.mark.parametrize("command", ["explain", "check", "validate", "schema", "node", "serve", "decisions", "config"])
def test_every_command_named_exists(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"imagefit {command}" in README
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert "usage: imagefit" in capsys.readouterr().out


def test_every_path_and_target_named_exists() -> None:
    for path in re.findall(r"\]\(([\w./-]+)\)", README):
        assert (ROOT / path).exists(), path
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`?make ([a-z-]+)", README)) <= targets
