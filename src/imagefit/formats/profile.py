"""One profile per index entry: everything that it needs and claims, whatever carried it."""

from imagefit.errors import InvalidDocumentError
from imagefit.formats.dialects.features import parse_features
from imagefit.formats.dialects.platform import check_os_features, checks_of_platform, claims_of_platform
from imagefit.formats.reading import problems_of
from imagefit.model.oci import Descriptor, Platform
from imagefit.model.requirement import Problem, Profile


def profile_of(entry: Descriptor) -> Profile:
    """Return what an index entry itself needs and claims; the documents that it leads to are not among it yet."""
    platform = entry.platform
    if platform is None:
        return Profile((), (), entry.stated, (Problem("the entry names no platform"),))
    try:
        check_os_features(platform.os_features or ())
    except InvalidDocumentError as error:
        bare = Platform(platform.os, platform.architecture, platform.variant, platform.os_version)
        return Profile(checks_of_platform(bare), (), entry.stated, problems_of(error.below("platform.os.features")))
    claims = {**claims_of_platform(platform), **entry.stated}
    checks = checks_of_platform(platform)
    try:
        features = parse_features(bytes(platform.features))
    except InvalidDocumentError as error:
        return Profile(checks, (), claims, problems_of(error.below("platform.features")))
    return Profile(checks + features, (), claims)
