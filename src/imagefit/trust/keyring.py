"""The keys that are for a repository, as their files are now.

Knows when the files are read and what is told of them. Leaves to ``rules`` which files those are, and to ``keys`` how
one is read and what may be in it.
"""

from collections.abc import Callable
from pathlib import Path

from imagefit.errors import InvalidConfigurationError
from imagefit.trust.keys import PublicKey, read_keys
from imagefit.trust.rules import KeyRules


class Keyring:
    """The keys of the rules, as their files are whenever they are asked for.

    Args:
        rules: which keys are trusted for what.
        on_problem: is told of each file that gives no key, once until the problems of its rule change.
    """

    def __init__(self, rules: KeyRules, on_problem: Callable[[InvalidConfigurationError], None] | None = None) -> None:
        """Touch no disk yet."""
        self._rules = rules
        self._on_problem = on_problem
        self._told: dict[Path, frozenset[str]] = {}

    def keys_for(self, repository: str) -> tuple[PublicKey, ...]:
        """Return the keys that are trusted for ``host/path``; blocks on the disk, never raises."""
        found: list[PublicKey] = []
        for source in self._rules.sources(repository):
            read = read_keys(source)
            found += read.keys
            self._tell(source, read.problems)
        return tuple(found)

    def _tell(self, source: Path, problems: tuple[InvalidConfigurationError, ...]) -> None:
        told = self._told.get(source, frozenset())
        self._told[source] = frozenset(problem.message for problem in problems)
        for problem in problems:
            if self._on_problem is not None and problem.message not in told:
                self._on_problem(problem)
