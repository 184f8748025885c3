"""The steps of a pull, in their order: where a fault can strike.

Knows by which call or request each is recognised. Leaves to ``harness.grpc_gate`` and ``harness.http_gate`` how calls
and requests are stopped there.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        name: as the table shows it.
        stop: the gates' name of where it is; empty for the moment before the pull, when nothing is under way.
        nth: which stop of that name it is.
    """

    name: str
    stop: str
    nth: int = 1


AT_REST: Final = Step("at rest", "")
HEAD_OF_TAG: Final = Step("HEAD of the tag", "imagefit HEAD manifests")
GET_OF_INDEX: Final = Step("GET of the index", "imagefit GET manifests")
GET_OF_METADATA: Final = Step("GET of metadata", "imagefit GET blobs")
BEFORE_LOOK: Final = Step("before Images.Get", "before Images.Get")
BEFORE_PULL: Final = Step("before PullImage", "before PullImage")
GET_OF_MANIFEST: Final = Step("GET of the manifest", "containerd GET manifests")
GET_OF_LAYER: Final = Step("GET of a layer", "containerd GET blobs", 2)  # the first is the config
AFTER_PULL: Final = Step("after PullImage", "after PullImage")
BEFORE_CREATE: Final = Step("before Images.Create", "before Images.Create")
AFTER_CREATE: Final = Step("after Images.Create", "after Images.Create")
BEFORE_SHOWN: Final = Step("before ImageStatus", "before ImageStatus")
BEFORE_DELETE: Final = Step("before Images.Delete", "before Images.Delete")
AFTER_DELETE: Final = Step("after Images.Delete", "after Images.Delete")
BEFORE_REMOVAL: Final = Step("before RemoveImage", "before RemoveImage")
AFTER_REMOVAL: Final = Step("after RemoveImage", "after RemoveImage")

RESOLVING: Final = (HEAD_OF_TAG, GET_OF_INDEX, GET_OF_METADATA)
"""What imagefit asks the registry."""
FETCHING: Final = (GET_OF_MANIFEST, GET_OF_LAYER)
"""What containerd asks the registry."""
CALLING: Final = (
    *(BEFORE_LOOK, BEFORE_PULL, AFTER_PULL, BEFORE_CREATE, AFTER_CREATE),
    *(BEFORE_SHOWN, BEFORE_DELETE, AFTER_DELETE),
)
"""What imagefit asks containerd during a pull."""
REMOVING: Final = (BEFORE_REMOVAL, AFTER_REMOVAL)
ALL: Final = (AT_REST, *RESOLVING, *CALLING[:2], *FETCHING, *CALLING[2:], *REMOVING)
"""Every step, in order."""
