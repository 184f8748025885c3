"""Whom the operator trusts: which files of keys are for a repository.

Knows the rules as the configuration has them. Leaves to ``keyring`` the keys themselves.
"""

from pathlib import Path

import msgspec

from imagefit.model.glob import Glob


class KeyRule(msgspec.Struct, frozen=True):
    """Keys for some repositories.

    Attributes:
        match: is compared with ``host/path``.
        source: a file, or a folder of files.
    """

    match: Glob
    source: Path


class KeyRules(msgspec.Struct, frozen=True):
    """Which keys are trusted for what.

    Attributes:
        rules: the first that matches decides.
        files: for repositories that no rule is for.
    """

    rules: tuple[KeyRule, ...] = ()
    files: tuple[Path, ...] = ()

    def sources(self, repository: str) -> tuple[Path, ...]:
        """Return the files and folders whose keys are trusted for ``host/path``."""
        return next(((rule.source,) for rule in self.rules if rule.match.matches(repository)), self.files)
