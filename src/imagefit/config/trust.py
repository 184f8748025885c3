"""``[trust.referrers]``: what makes metadata count that others attached to an image.

Knows how it is written, and what keeps signatures from being checked at all. Leaves to ``[policy] trust`` which pulls
look for such metadata, to the selection what the order of dialects does, and to ``imagefit.trust`` how keys are read.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from imagefit.config.conditions import glob
from imagefit.config.kinds import KIND, RULES, AbsolutePath, Contradiction, Pattern, Table, about
from imagefit.config.lines import Path as KeyPath
from imagefit.errors import InvalidConfigurationError
from imagefit.trust.rules import KeyRule, KeyRules

MAX_KEY_FILES: Final = 64
_HERE: Final = ("trust", "referrers")
_WHERE_KEYS_GO: Final = "give keys, or [[trust.referrers.repository]]"

Family = Literal["nfd", "oci", "compspec"]
"""Artifacts by what they are written in."""


class RepositoryKeys(Table, frozen=True, kw_only=True):
    """``[[trust.referrers.repository]]``: keys for some repositories."""

    match: Annotated[Pattern | UnsetType, about("Repositories, as `host/path` without tag or digest.")] = UNSET
    keys: Annotated[
        AbsolutePath | UnsetType,
        about("PEM file of one public key, or a folder: all its `*.pem` and `*.pub` files, each with one."),
    ] = UNSET

    def contradictions(self) -> list[Contradiction]:
        """Return what is missing."""
        without = [Contradiction("", "does not say for which repositories it is", "give match")]
        keyless = [Contradiction("", "has no keys", "give keys, a file or a folder")]
        return [*(without if self.match is UNSET else []), *(keyless if self.keys is UNSET else [])]


_REPOSITORY_SHAPE: Final = msgspec.Meta(extra_json_schema={"required": ["match", "keys"]})


class TrustedReferrers(Table, frozen=True, kw_only=True):
    """``[trust.referrers]``: which metadata from outside the index counts."""

    dialects: Annotated[
        Annotated[tuple[Family, ...], msgspec.Meta(extra_json_schema={"uniqueItems": True})],
        about(
            "Which kinds of metadata are looked for; the first of them that is there and can be read decides, the "
            "others are judged and shown, and do not count. Empty: any kind, and all that are there must hold."
        ),
    ] = ()
    require_signature: Annotated[
        bool,
        about(
            "Only metadata that somebody with a trusted key has signed counts; any other is as if it were not there. "
            "Needs the extra `signatures`."
        ),
    ] = False
    keys: Annotated[
        Annotated[
            tuple[AbsolutePath, ...],
            msgspec.Meta(max_length=MAX_KEY_FILES, extra={KIND: f"a list of up to {MAX_KEY_FILES} absolute paths"}),
        ],
        about(
            "PEM files of public keys, ECDSA P-256 or Ed25519, one in each, or folders of these. They are trusted for "
            "every repository that no `[[trust.referrers.repository]]` is for."
        ),
    ] = ()
    repository: Annotated[
        Annotated[tuple[Annotated[RepositoryKeys, _REPOSITORY_SHAPE], ...], RULES],
        about(
            "Keys for some repositories, any number of these: the first whose pattern matches decides, and no other "
            "keys are trusted there. `*` stands for any characters, `/` too, and `?` for one."
        ),
    ] = ()

    @property
    def key_rules(self) -> KeyRules | None:
        """Which keys are trusted for what; None where no signature is asked for."""
        if not self.require_signature:
            return None
        given = [(one.match, one.keys) for one in self.repository]
        rules = [KeyRule(glob(match), Path(keys)) for match, keys in given if keys is not UNSET]
        return KeyRules(tuple(rules), tuple(map(Path, self.keys)))

    def contradictions(self) -> list[Contradiction]:
        """Return what makes the table impossible."""
        twice = next((one for at, one in enumerate(self.dialects) if one in self.dialects[:at]), None)
        return [] if twice is None else [Contradiction("dialects", f"names '{twice}' twice")]


class TrustSettings(Table, frozen=True, kw_only=True):
    """``[trust]``: whose word counts beside the index's."""

    referrers: Annotated[
        TrustedReferrers, about("Metadata that others attached to an image, where `[policy] trust` names `referrers`.")
    ] = TrustedReferrers()


def unusable_keys(trusted: TrustedReferrers) -> Iterator[tuple[KeyPath, str, str]]:
    """Yield what keeps signatures from being checked as they must be; reads the files of the keys.

    Args:
        trusted: of all files together, each of which is right.

    Returns:
        Key, message and advice of each fault. None where no signature is asked for.
    """
    if not trusted.require_signature:
        return
    from imagefit.trust.keys import check_library  # most nodes ask for no signatures

    here = (*_HERE, "require-signature")
    try:
        check_library()
    except InvalidConfigurationError as error:
        yield here, f"trust.referrers.require-signature: {error.message}", error.advice
        return
    if not trusted.keys and not trusted.repository:
        yield here, "trust.referrers.require-signature is true, and no key is trusted", _WHERE_KEYS_GO
    for number, repository in enumerate(trusted.repository):
        yield from _wrong((*_HERE, "repository", number, "keys"), repository.keys)
    for file in trusted.keys:
        yield from _wrong((*_HERE, "keys"), file)


def _wrong(path: KeyPath, source: str | UnsetType) -> Iterator[tuple[KeyPath, str, str]]:
    if source is not UNSET:
        from imagefit.trust.keys import read_keys  # see above

        name = ".".join(step for step in path if isinstance(step, str))
        read = read_keys(Path(source))
        # One file of a folder that is no key costs itself; it is named where signatures are checked.
        for problem in () if read.keys else read.problems:
            yield path, f"{name}: {problem.message}", problem.advice
