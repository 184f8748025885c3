"""An annotated example: every key with what it means and its default, and rules to take the comment from.

Knows how the example is laid out. Leaves what there is to the tables.
"""

import textwrap
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Final

from imagefit.config.conditions import Require
from imagefit.config.keys import Key, tables_of
from imagefit.config.settings import Config
from imagefit.config.writing import format_value

_COLUMNS: Final = 79
_HEAD: Final = """\
# The configuration of imagefit: /etc/imagefit/config.toml. What is set here is
# the default; keep only what you change. The files of /etc/imagefit/config.d/
# are read after this one. A change takes effect within a second or, where it
# says (restart), after a restart. To use a line that begins with '#' and no
# space, take away the '#'. 'imagefit config check' finds faults, and 'imagefit
# config show' shows what holds.
"""
SAMPLES: Final[Mapping[str, str]] = {
    "prefer": """\
[[prefer]]
annotation = "org.example.mpi"
value = "mpich*"
weight = 5

[[prefer]]
tag = "debug"
weight = -10

[[prefer]]
feature = "avx512f"
runtime-handler = "hpc"
""",
    "require": """\
[[require]]
platform = "linux/*"
""",
    "image": """\
[[image]]
match = "registry.example.org/hpc/*"
namespace = "hpc-*"
mode = "observe"
ranking = ["tier", "preference", "cpu", "position"]
prefer = [{ label = "org.example.blas", value = "mkl", weight = 10 }]
pod-annotations = ["imagefit.dev/prefer-tag", "imagefit.dev/mode"]

[[image]]
runtime-handler = "wasmtime"
platforms = ["wasi/wasm"]
require = [{ platform = "wasi/*" }]

[[image]]
match = "docker.io/library/*"
mode = "off"
""",
    "trust.referrers.repository": """\
[[trust.referrers.repository]]
match = "registry.example.org/hpc/*"
keys = "/etc/imagefit/keys/hpc"
""",
}
"""What is shown of each array of tables; each is a configuration of its own."""


def example() -> str:
    """Return the example; as it stands it is the default configuration."""
    return "\n".join([_HEAD, *_lines()]) + "\n"


def _lines() -> Iterator[str]:
    for path, key, own in tables_of(Config):
        name = ".".join(path)
        if key.kind.is_tables:
            yield from ("", f"# [[{name}]]", *_comment(key.about), *_meanings(key, own), "")
            yield from (f"#{line}" if line else "" for line in SAMPLES[name].splitlines())
        else:
            yield from ("", f"[{name}]", *_comment(key.about))
            for one in own.values():
                yield from _setting(one)


def _meanings(table: Key, keys: Mapping[str, Key]) -> Iterator[str]:
    if table.kind.table is Require:  # told with [[prefer]]
        return
    yield "#"
    for about, some in groupby(keys.values(), lambda key: key.about):
        yield from _comment(f"{', '.join(key.name for key in some)}: {about}", "#   ", "#     ")


def _setting(key: Key) -> Iterator[str]:
    if key.kind.table is not None:
        return
    yield from ("", *_comment(key.about + (" (restart)" if key.needs_restart else "")))
    sample = key.kind.choices[0] if key.kind.choices and key.default is None else key.default
    others = [choice for choice in key.kind.choices if choice != sample]
    line = f"{key.name} = {format_value(sample)}"
    hint = f"  # or {', '.join(map(format_value, others))}" if others else ""
    yield f"#{line}{hint}" if key.default is None else f"{line}{hint}"


def _comment(text: str, first: str = "# ", rest: str = "# ") -> list[str]:
    plain = text.replace("`", "")
    return textwrap.wrap(plain, _COLUMNS, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
