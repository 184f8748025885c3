"""One target under libFuzzer, in this process: ``python -m fuzz.worker TARGET SECONDS FOLDER``.

Knows atheris. Leaves to ``driver`` which targets run for how long and what becomes of what is found: libFuzzer leaves
the input that ends this process in FOLDER, beside new inputs for the corpus in ``FOLDER/new``.
"""

import resource
import sys
from pathlib import Path
from typing import Any, Final

HANG_SECONDS: Final = 30
"""Longest that one input may take on the clock, on a machine that does other things besides."""
# Python under instrumentation takes some times as long; what is found is measured again without.
_MOST_CPU_SECONDS: Final = 4.0
_MOST_BYTES_OF_MEMORY: Final = 4 << 30
_MOST_MEBIBYTES: Final = 2048
_LONGEST_INPUT: Final = 4096


def _main(name: str, seconds: int, folder: Path) -> None:
    import atheris

    with atheris.instrument_imports(include=["imagefit", "tomllib"], enable_loader_override=False):
        from fuzz.contract import check
        from fuzz.table import TARGETS
    target = TARGETS[name]
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES_OF_MEMORY, _MOST_BYTES_OF_MEMORY))
    new, words = folder / "new", folder / "words"
    new.mkdir(exist_ok=True)
    words.write_text("".join(map(_word, target.tokens)))
    known = [str(target.corpus)] if target.corpus.is_dir() else []
    options = (
        f"-max_total_time={seconds}",
        f"-max_len={min(target.limit_bytes, _LONGEST_INPUT)}",
        f"-timeout={HANG_SECONDS}",
        f"-rss_limit_mb={_MOST_MEBIBYTES}",
        f"-artifact_prefix={folder}/found-",
        f"-dict={words}",
        "-print_final_stats=1",
        "-verbosity=1",
    )

    def one(content: Any) -> None:
        check(target, bytes(content), _MOST_CPU_SECONDS)

    atheris.Setup([sys.argv[0], *options, str(new), *known], one)
    atheris.Fuzz()


def _word(token: bytes) -> str:
    """Return a line of libFuzzer's dictionary."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in token) + '"\n'


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
