"""The platform of an index entry: what the build runs on, in the words of the OCI image specification.

Knows operating system, architecture and variant, Windows builds, features of the operating system, and that
unikernels state their configuration as such. Leaves CPU features to ``cpu_features`` and metadata that a platform
carries to ``carriers``. Sources: OCI ``image-index.md``; "Version compatibility" of Windows containers; Unikraft's
``kraft`` for the names of machine monitors and ``CONFIG_`` features.
"""

from collections.abc import Mapping, Sized
from typing import Final

from imagefit.errors import InvalidDocumentError
from imagefit.formats.contract import Dialect
from imagefit.formats.cpu_features import checks_of_features
from imagefit.formats.reading import Faults, object_of, text_of, words_of
from imagefit.formats.syntax import Tree
from imagefit.model.microarchitecture import depth, normalize
from imagefit.model.oci import Platform
from imagefit.model.requirement import Alternative, Check, Document, HasFlag, HasValue, RunsOn, SameBuild

_NAME: Final = "platform"
_OS_FEATURES: Final = "os.features"
_OS_VERSION: Final = "os.version"
_WORDS: Final = ("os", "architecture", "variant", _OS_VERSION)
_CARRIED: Final = ("compatibilities", "compat")
_WINDOWS: Final = "windows"
# Unikraft: the operating system of an image is the monitor that runs it.
_MONITORS: Final = frozenset({"qemu", "fc", "kvm", "xen"})
_KERNEL_OPTION: Final = "CONFIG_"
# A unikernel states its whole configuration.
_MAX_OS_FEATURES: Final = 4096


def checks_of_platform(platform: Platform) -> tuple[Check, ...]:
    """Return what a platform needs, its CPU features aside: the platform itself comes first."""
    architecture, variant = normalize(platform.architecture, platform.variant)
    question = RunsOn(platform.os.lower(), architecture, variant)
    first = Check("platform", str(platform), question, depth=depth(architecture, variant))
    return (first, *_build(platform), *_os_features(platform))


def check_os_features(names: Sized) -> None:
    """Raise ``InvalidDocumentError`` for more features of the operating system than there are."""
    if len(names) > _MAX_OS_FEATURES:
        raise InvalidDocumentError(f"{len(names)} features, more than {_MAX_OS_FEATURES}")


def claims_of_platform(platform: Platform) -> Mapping[str, str]:
    """Return what a unikernel's platform says that the image is: its options, ``CONFIG_X`` → value."""
    if platform.os.lower() not in _MONITORS:
        return {}
    options = (name.partition("=") for name in platform.os_features or () if name.startswith(_KERNEL_OPTION))
    return {option: value for option, _, value in options}


def claims(tree: Tree) -> bool:
    """Tell whether a document is a platform: a node's profile looks alike, but its features are no list."""
    if not isinstance(tree, dict) or isinstance(tree.get("features"), dict):
        return False
    return isinstance(tree.get("os"), str) or isinstance(tree.get("architecture"), str)


def parse(tree: Tree) -> Document:
    """Read a platform by itself as one alternative.

    Raises:
        InvalidDocumentError: a key has a wrong type, or the platform carries metadata, which is no part of it.
    """
    keys = object_of(tree)
    faults = Faults()
    words: dict[str, str] = {}
    for key in _WORDS:
        with faults.at(key):
            words[key] = "" if keys.get(key) is None else text_of(keys[key])
    os_features: tuple[str, ...] = ()
    with faults.at(_OS_FEATURES):
        os_features = words_of(keys.get(_OS_FEATURES))
        check_os_features(os_features)
    features: tuple[Check, ...] = ()
    with faults.at("features"):
        features = checks_of_features(keys.get("features"))
    for key in _CARRIED:
        with faults.at(key):
            _refuse(keys.get(key))
    faults.raise_all()
    platform = Platform(words["os"], words["architecture"], words["variant"], words[_OS_VERSION], os_features)
    return Document(_NAME, (Alternative((*checks_of_platform(platform), *features)),))


def _refuse(carried: Tree) -> None:
    if carried is not None:
        raise InvalidDocumentError("metadata that a platform carries is read from an index only")


def _build(platform: Platform) -> tuple[Check, ...]:
    if platform.os.lower() != _WINDOWS or not platform.os_version:
        return ()
    version = platform.os_version
    return (Check(_OS_VERSION, version, HasValue((_OS_VERSION,), "full", SameBuild(version))),)


def _os_features(platform: Platform) -> tuple[Check, ...]:
    stated = _KERNEL_OPTION if platform.os.lower() in _MONITORS else None
    names = dict.fromkeys(platform.os_features or ())
    return tuple(
        Check(_OS_FEATURES, name, HasFlag((_OS_FEATURES,), (name,)))
        for name in names
        if stated is None or not name.startswith(stated)
    )


DIALECT: Final = Dialect(_NAME, claims, parse)
