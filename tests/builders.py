"""Small builders of indexes, nodes and decisions that the tests of the core share."""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from imagefit.model.decision import Decision, Ranked, Ranking, Rated, Verdict
from imagefit.model.facts import Facts, Node
from imagefit.model.glob import Glob
from imagefit.model.oci import Descriptor, ImageIndex, parse_index
from imagefit.model.policy import Condition, Policy, Preference, Requirement, Trait
from imagefit.model.requirement import Group, Need, Problem, negated
from imagefit.selection.rank import rank as rank_kinds
from imagefit.selection.session import Selection

Json = dict[str, Any]

INDEX_MEDIA_TYPE = "application/vnd.oci.image.index.v1+json"
MANIFEST_MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_MEDIA_TYPE = "application/vnd.oci.image.config.v1+json"
DOCUMENT_MEDIA_TYPE = "application/vnd.oci.image.compatibilities.v1+json"


def to_bytes(value: object) -> bytes:
    """Return JSON as a registry would hold it."""
    return json.dumps(value).encode()


def digest(content: bytes | str, algorithm: str = "sha256") -> str:
    """Return the digest of bytes, or a valid digest that a word stands for."""
    raw = content if isinstance(content, bytes) else content.encode()
    return f"{algorithm}:{hashlib.new(algorithm, raw).hexdigest()}"


def entry(
    name: str, platform: str = "linux/amd64", annotations: dict[str, str] | None = None, **in_platform: object
) -> Json:
    """Return an index entry; ``platform`` is ``os/architecture[/variant]``, the rest goes into the platform object."""
    words = dict(zip(("os", "architecture", "variant"), platform.split("/"), strict=False))
    found: Json = {"mediaType": MANIFEST_MEDIA_TYPE, "digest": digest(name), "size": 7, "platform": words | in_platform}
    return found if annotations is None else found | {"annotations": annotations}


def without_platform(name: str, annotations: dict[str, str] | None = None) -> Json:
    """Return an index entry that does not say what it is for."""
    found = entry(name, annotations=annotations)
    del found["platform"]
    return found


def index_bytes(*entries: Json) -> bytes:
    """Return the bytes of an index."""
    return to_bytes({"schemaVersion": 2, "mediaType": INDEX_MEDIA_TYPE, "manifests": entries})


def index(*entries: Json) -> ImageIndex:
    """Return a parsed index."""
    content = index_bytes(*entries)
    return parse_index(content, digest(content))


def facts(
    flags: Mapping[str, Iterable[str]] | None = None,
    attributes: Mapping[str, Mapping[str, str]] | None = None,
    instances: Mapping[str, Iterable[Mapping[str, str]]] | None = None,
) -> Facts:
    """Return facts; every feature named is covered."""
    return Facts(
        {feature: frozenset(names) for feature, names in (flags or {}).items()},
        {feature: dict(elements) for feature, elements in (attributes or {}).items()},
        {feature: tuple(dict(one) for one in some) for feature, some in (instances or {}).items()},
    )


def node(
    platform: str = "linux/amd64/v3",
    flags: Mapping[str, Iterable[str]] | None = None,
    attributes: Mapping[str, Mapping[str, str]] | None = None,
    instances: Mapping[str, Iterable[Mapping[str, str]]] | None = None,
) -> Node:
    """Return a node; ``platform`` is ``os/architecture[/variant]``."""
    os, architecture, variant = (*platform.split("/"), "")[:3]
    return Node(os, architecture, variant, facts(flags, attributes, instances))


def descriptor(content: bytes, media_type: str, *, embed: bool = False, **changed: object) -> Json:
    """Return a descriptor of some content, with the content itself in ``data`` if asked for."""
    found: Json = {"mediaType": media_type, "digest": digest(content), "size": len(content)}
    if embed:
        found["data"] = base64.b64encode(content).decode()
    return found | changed


def manifest_of(config: bytes, *, embed: bool = False) -> bytes:
    """Return the manifest that proposal I puts before its config blob."""
    return to_bytes(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_MEDIA_TYPE,
            "config": descriptor(config, CONFIG_MEDIA_TYPE, embed=embed),
            "layers": [],
        }
    )


def none_of(needs: Iterable[Need]) -> Need:
    """Return the need that holds where none of ``needs`` does."""
    return negated(Group(any_of=True, members=tuple(needs)))


def supply_all(selection: Selection, blobs: Mapping[str, bytes | Problem]) -> list[str]:
    """Supply what is wanted until nothing is, and return the digests that were fetched, in order."""
    fetched: list[str] = []
    while wanted := selection.wanted():
        for locator in wanted:
            fetched.append(locator.digest)
            selection.supply(locator, blobs.get(locator.digest, Problem("not there", locator.place)))
    return fetched


def decide(
    found: ImageIndex, where: Node, policy: Policy | None = None, blobs: Mapping[str, bytes | Problem] | None = None
) -> Decision:
    """Decide with everything supplied that is wanted."""
    selection = Selection(found, where, policy or Policy())
    supply_all(selection, blobs or {})
    return selection.decide()


def asks(trait: Trait, name: str, value: str = "*") -> Requirement:
    """Return a requirement with one condition."""
    return Requirement((Condition(trait, Glob(name), Glob(value)),))


def prefers(annotation: str, value: str, weight: int = 1) -> Preference:
    """Return a preference for entries with an annotation."""
    return Preference(asks(Trait.ANNOTATION, annotation, value), weight)


def rank(
    judged: Sequence[tuple[Descriptor, Verdict]], policy: Policy, *, also_runs: frozenset[str] = frozenset()
) -> tuple[Ranked, ...]:
    """Rank entries that are each of a kind of their own."""
    each = [((position,), verdict) for position, (_, verdict) in enumerate(judged)]
    return rank_kinds([descriptor for descriptor, _ in judged], each, policy, also_runs=also_runs)[:]


def ranking_of(*ranked: Ranked) -> Ranking:
    """Return a ranking of made-up entries, in the order in which they are given."""
    rated = [
        Rated((one.position,), one.verdict, tuple(one.merits.values())[:-1], one.barred, one.met) for one in ranked
    ]
    places = [(one.position, of) for one, of in zip(ranked, rated, strict=True)]
    bars = frozenset(one.barred.bar for one in ranked if one.barred)
    return Ranking({one.position: one.descriptor for one in ranked}, places, bars)  # type: ignore[arg-type] # by position
