"""``imagefit completion``: what makes a shell complete the commands, written by ``make docs`` and packaged."""

from importlib.resources import files
from typing import Final, Literal

Shell = Literal["bash", "zsh"]
_FILES: Final = {"bash": "imagefit.bash", "zsh": "_imagefit"}


def print_completion(shell: Shell) -> int:
    """Print the completion of a shell."""
    print(files("imagefit").joinpath("completions", _FILES[shell]).read_text(), end="")
    return 0
