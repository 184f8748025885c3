"""What the source may not use: nothing in it runs bytes that it was given, nor another program but one."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
SOURCES: Final = sorted((ROOT / "src").rglob("*.py"))
MODULES: Final = {
    *("pickle", "marshal", "shelve", "dill", "joblib", "code", "codeop", "pty", "multiprocessing"),
    *("ctypes", "cffi", "runpy", "zipimport", "imp"),
}
"""They make objects or code of bytes, or processes."""
BY_NAME: Final = {"import_module", "entry_points", "load_module", "exec_module", "spec_from_file_location"}
"""They import what a text names."""
IMPORTING: Final = {
    *("src/imagefit/__init__.py", "src/imagefit/daemon/idle.py", "src/imagefit/daemon/life.py"),
    *("src/imagefit/telemetry/tracing.py", "src/imagefit/node/plugins.py"),
}
"""What is imported there is named in the source, or by the operator as a plug-in."""
HELPER: Final = "src/imagefit/cli/credential_helper.py"
"""The one that asks a person's credential helper: a command line has people, the daemon has none."""
BUILT_IN: Final = {"eval", "exec", "compile", "__import__"}
SYSTEM: Final = {
    *("system", "popen", "fork", "forkpty", "posix_spawn", "posix_spawnp", "startfile"),
    *(f"{kind}{form}" for kind in ("exec", "spawn") for form in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")),
    *("create_subprocess_exec", "create_subprocess_shell", "subprocess_exec", "subprocess_shell"),
    "ProcessPoolExecutor",
}
YAML_LOADERS: Final = {"Loader", "FullLoader", "UnsafeLoader", "CLoader", "CFullLoader", "CUnsafeLoader"}
YAML_CALLS: Final = {"full_load", "full_load_all", "unsafe_load", "unsafe_load_all", "load", "load_all"}


def faults(text: str, name: str = "") -> Iterator[str]:
    """Yield what a source uses that it may not, in its order."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import(names=names):
                yield from (one.name for one in names if _is_refused(one.name, name))
            case ast.Name(id=used) | ast.Attribute(attr=used) if used in BY_NAME and name not in IMPORTING:
                yield used
            case ast.ImportFrom(module=str(module), names=names):
                if _is_refused(module, name):
                    yield module
                yield from (f"{module}.{one.name}" for one in names if one.name in SYSTEM | YAML_LOADERS)
            case ast.Name(id=used) if used in BUILT_IN:
                yield used
            case ast.Attribute(value=ast.Name(id="yaml"), attr=used) if used in YAML_LOADERS | YAML_CALLS:
                yield f"yaml.{used}"
            case ast.Attribute(attr=used) if used in SYSTEM:
                yield used
            case ast.keyword(arg="shell", value=ast.Constant(value=True)):
                yield "shell=True"


def _is_refused(module: str, name: str) -> bool:
    top = module.partition(".")[0]
    return top in MODULES or (top == "subprocess" and name != HELPER)


REFUSED = [
    "import pickle",
    "import os, marshal",
    "from shelve import open as keep",
    "import subprocess",
    "from subprocess import run",
    "import multiprocessing.pool",
    "eval('1')",
    "run = exec",
    "compile(text, '', 'exec')",
    "__import__(name)",
    "os.system('true')",
    "os.execv(path, words)",
    "from os import fork",
    "asyncio.create_subprocess_exec('true')",
    "loop.subprocess_shell(protocol, 'true')",
    "yaml.load(text, Loader=yaml.SafeLoader)",
    "yaml.unsafe_load(text)",
    "from yaml import FullLoader",
    "run(words, shell=True)",
    "import ctypes",
    "import_module(name)",
    "importlib.import_module(name)",
    "spec_from_file_location('x', path)",
]
ALLOWED = ["import os", "re.compile('a')", "yaml.safe_load(text)", "from yaml import CSafeLoader", "evaluate(document)"]


# The look itself sees each kind, and takes what is harmless for what it is.
@pytest.mark.parametrize("text", REFUSED)
def test_what_is_refused_is_seen(text: str) -> None:
    assert list(faults(text))


@pytest.mark.parametrize("text", ALLOWED)
def test_what_is_harmless_is_allowed(text: str) -> None:
    assert not list(faults(text))


# No module makes code, objects or processes of bytes: no pickle, no eval, no shell, no YAML but of plain values.
def test_the_source_uses_none_of_it() -> None:
    assert len(SOURCES) > 100
    found = {
        str(path.relative_to(ROOT)): list(faults(path.read_text(), str(path.relative_to(ROOT)))) for path in SOURCES
    }
    assert {name: used for name, used in found.items() if used} == {}


# The exception is one, and it is needed.
def test_one_module_starts_programs_and_no_other() -> None:
    assert "subprocess" in list(faults((ROOT / HELPER).read_text()))


# ruff's rules on security hold, and what is excused from them is excused with its rule and on its line.
def test_the_rules_on_security_hold() -> None:
    command = (sys.executable, "-m", "ruff", "check", "--isolated", "--select", "S", "--no-cache", "src")
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout
