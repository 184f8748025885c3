"""imagefit: which build of an image fits a node. The names below are the library; commands stand beside it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from imagefit.errors import ImagefitError, InvalidDocumentError, InvalidIndexError, InvalidProfileError
    from imagefit.formats.catalog import parse as parse_document
    from imagefit.formats.node_profile import format_profile, parse_profile
    from imagefit.library import choose, evaluate
    from imagefit.model.decision import Decision, DocumentVerdict, Verdict
    from imagefit.model.facts import Facts, Node
    from imagefit.model.glob import Glob
    from imagefit.model.policy import Condition, Criterion, Policy, Preference, Requirement, Trait
    from imagefit.model.requirement import Document
    from imagefit.model.truth import Truth
    from imagefit.node.collect import this_node

# Name → where it is. Imported when it is asked for: the daemon must not wait for what only the library needs.
_PLACES: Final = {
    "Condition": "imagefit.model.policy",
    "Criterion": "imagefit.model.policy",
    "Decision": "imagefit.model.decision",
    "Document": "imagefit.model.requirement",
    "DocumentVerdict": "imagefit.model.decision",
    "Facts": "imagefit.model.facts",
    "Glob": "imagefit.model.glob",
    "ImagefitError": "imagefit.errors",
    "InvalidDocumentError": "imagefit.errors",
    "InvalidIndexError": "imagefit.errors",
    "InvalidProfileError": "imagefit.errors",
    "Node": "imagefit.model.facts",
    "Policy": "imagefit.model.policy",
    "Preference": "imagefit.model.policy",
    "Requirement": "imagefit.model.policy",
    "Trait": "imagefit.model.policy",
    "Truth": "imagefit.model.truth",
    "Verdict": "imagefit.model.decision",
    "choose": "imagefit.library",
    "evaluate": "imagefit.library",
    "format_profile": "imagefit.formats.node_profile",
    "parse_document": "imagefit.formats.catalog:parse",
    "parse_profile": "imagefit.formats.node_profile",
    "this_node": "imagefit.node.collect",
}

__all__ = [
    "Condition",
    "Criterion",
    "Decision",
    "Document",
    "DocumentVerdict",
    "Facts",
    "Glob",
    "ImagefitError",
    "InvalidDocumentError",
    "InvalidIndexError",
    "InvalidProfileError",
    "Node",
    "Policy",
    "Preference",
    "Requirement",
    "Trait",
    "Truth",
    "Verdict",
    "choose",
    "evaluate",
    "format_profile",
    "parse_document",
    "parse_profile",
    "this_node",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - types are those of the imports above
    """Import one of the library's names (PEP 562)."""
    if name not in _PLACES:
        raise AttributeError(f"module 'imagefit' has no attribute {name!r}")
    module, _, attribute = _PLACES[name].partition(":")
    return getattr(import_module(module), attribute or name)
