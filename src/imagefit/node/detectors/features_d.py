"""Features that others wrote down for NFD, from the files of its ``local`` source.

Knows their lines, their directives and how the files add up. Leaves to the caller what time it is. Implements NFD
``source/local/local.go`` (v0.19) and "Local feature source" of its customization guide; which name spaces labels may
have is NFD's master's concern.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from imagefit.model.facts import Facts
from imagefit.node.contract import CannotLookError, HostView, NotThereError, Partial

FEATURE_FEATURE: Final = "local.feature"
LABEL_FEATURE: Final = "local.label"

_ETC: Final = "/etc"
_DIRECTORY: Final = "/etc/kubernetes/node-feature-discovery/features.d"
_FILE_MAX_BYTES: Final = 64 * 1024  # NFD's MaxFeatureFileSize
_FILES_MAX: Final = 256
_FAULTS_MAX: Final = 8
_SHOWN_CHARACTERS: Final = 80
_DIRECTIVE: Final = "# +"
_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)


class FeaturesDDetector:
    """Name → value, ``true`` where none is given: what the files say as a feature, and what as a label."""

    name = "features-d"
    features = (FEATURE_FEATURE, LABEL_FEATURE)

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Take the clock that tells which lines have expired."""
        self._now = now

    def detect(self, host: HostView) -> Partial:
        """Read all files in the order of their names. Raises ``CannotLookError``."""
        names, read, now = _names(host), _Read(), self._now()
        for name in names[:_FILES_MAX]:
            _add(read, host, f"{_DIRECTORY}/{name}", now)
        if len(names) > _FILES_MAX:
            read.warnings.append(f"{_DIRECTORY}: of {len(names)} files only the first {_FILES_MAX} are read")
        facts = Facts(attributes={FEATURE_FEATURE: read.features, LABEL_FEATURE: read.labels})
        return Partial(facts, tuple(read.warnings))


def _names(host: HostView) -> list[str]:
    try:
        return [name for name in host.list_dir(_DIRECTORY) if not name.startswith(".")]
    except NotThereError:
        # As NFD has it: a host on which nobody wrote anything down has no such feature.
        if not host.exists(_ETC):
            raise
        return []


@dataclass(slots=True)
class _Read:
    """What has been read so far, of one file or of all."""

    features: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Directives:
    """What directives have said: the expiry time holds until the next one, the others for one line."""

    expires: datetime
    is_feature: bool = True
    is_label: bool = True


def _add(read: _Read, host: HostView, path: str, now: datetime) -> None:
    try:
        features, labels, faults = parse_feature_file(
            host.read_trusted(path, _FILE_MAX_BYTES).decode("utf-8", "replace"), now
        )
    except CannotLookError as error:
        read.warnings.append(str(error))
        return
    read.features |= features
    read.labels |= labels
    read.warnings += [f"{path}: {fault}" for fault in faults]


def parse_feature_file(text: str, now: datetime) -> tuple[Mapping[str, str], Mapping[str, str], tuple[str, ...]]:
    """Read one file; a bad line costs itself.

    Args:
        text: lines of ``name=value``, ``name``, comments and directives (``# +expiry-time=``, ``# +no-feature``,
            ``# +no-label``).
        now: lines that have expired by then are left out.

    Returns:
        The features, the labels (most lines are both), and the first few faults, each with its line.
    """
    read, directives = _Read(), _Directives(expires=now)
    for number, line in enumerate(map(str.strip, text.split("\n")), 1):
        try:
            if line.startswith("#"):
                _direct(directives, line)
            elif line and directives.expires >= now:
                _put(read, directives, line)
        except ValueError as error:
            read.warnings.append(f"line {number}: {error}")
    return read.features, read.labels, tuple(read.warnings[:_FAULTS_MAX])


def _direct(directives: _Directives, line: str) -> None:
    """Follow a directive. Raises ``ValueError`` for one that is none; it then changes nothing."""
    if not line.startswith(_DIRECTIVE):
        return
    key, _, value = line.removeprefix(_DIRECTIVE).partition("=")
    match key:
        case "expiry-time":
            directives.expires = _time(value.strip())
        case "no-feature":
            directives.is_feature = False
        case "no-label":
            directives.is_label = False
        case _:
            raise ValueError(f"unknown directive {key[:_SHOWN_CHARACTERS]!r}")


def _time(value: str) -> datetime:
    if not _RFC3339.fullmatch(value):
        raise ValueError(f"{value[:_SHOWN_CHARACTERS]!r} is not a time such as 2030-07-28T11:22:33Z")
    return datetime.fromisoformat(value.upper())


def _put(read: _Read, directives: _Directives, line: str) -> None:
    name, equals, value = line.partition("=")
    if not name:
        raise ValueError("a value without a name")
    for values, wanted in ((read.features, directives.is_feature), (read.labels, directives.is_label)):
        if wanted:
            values[name] = value if equals else "true"
        else:
            values.pop(name, None)
    directives.is_feature = directives.is_label = True
