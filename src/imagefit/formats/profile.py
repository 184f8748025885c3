"""One profile per index entry: everything that it needs and claims, whatever carried it."""

from imagefit.errors import InvalidDocumentError
from imagefit.formats.dialects.features import parse_features
from imagefit.model.microarchitecture import depth, normalize
from imagefit.model.oci import Descriptor, Platform
from imagefit.model.requirement import Check, HasFlag, Problem, Profile, RunsOn

_OS_FEATURES = "os.features"


def profile_of(entry: Descriptor) -> Profile:
    """Return what an index entry itself needs and claims; the documents that it leads to are not among it yet."""
    claims = entry.annotations or {}
    platform = entry.platform
    if platform is None:
        return Profile((), (), claims, (Problem("the entry names no platform"),))
    checks = (_platform_check(platform), *_os_feature_checks(platform))
    try:
        features = parse_features(bytes(platform.features))
    except InvalidDocumentError as error:
        return Profile(checks, (), claims, (Problem(error.message, "platform.features"),))
    return Profile(checks + features, (), claims)


def _platform_check(platform: Platform) -> Check:
    architecture, variant = normalize(platform.architecture, platform.variant)
    question = RunsOn(platform.os.lower(), architecture, variant)
    return Check("platform", str(platform), question, depth=depth(architecture, variant))


def _os_feature_checks(platform: Platform) -> tuple[Check, ...]:
    names = dict.fromkeys(platform.os_features or ())
    return tuple(Check(_OS_FEATURES, name, HasFlag((_OS_FEATURES,), (name,))) for name in names)
