"""What the operator wants: how to choose, and what to do where there is no choice; and what a pod may add to it.

Knows which policy holds for one pull: the first image rule that matches it, narrowed by what the pod asks for and may.
Leaves to ``selection`` which entries a condition matches, and to ``config`` how a policy is written.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec
from msgspec.structs import replace

from imagefit.model.glob import ANYTHING, Glob


class Mode(StrEnum):
    """Whether choices take effect."""

    ENFORCE = "enforce"
    OBSERVE = "observe"
    OFF = "off"


class NoMatch(StrEnum):
    """What happens to a pull when no entry fits."""

    REJECT = "reject"
    PASS_THROUGH = "pass-through"  # noqa: S105 - no password


class Unknown(StrEnum):
    """What becomes of entries of which it is not known whether they fit."""

    LAST = "last"
    REJECT = "reject"


class OnError(StrEnum):
    """What happens to a pull when nothing can be decided."""

    PASS_THROUGH = "pass-through"  # noqa: S105 - no password
    FAIL = "fail"


class Criterion(StrEnum):
    """What ranks one entry before another."""

    TIER = "tier"
    PREFERENCE = "preference"
    SCORE = "score"
    CPU = "cpu"
    SPECIFICITY = "specificity"
    POSITION = "position"


ORDER: Final = tuple(Criterion)
"""The criteria, most important first."""


class Trait(StrEnum):
    """What of an entry a condition is about."""

    ANNOTATION = "annotation"
    LABEL = "label"
    TAG = "tag"
    FEATURE = "feature"
    VARIANT = "variant"
    PLATFORM = "platform"


class Condition(msgspec.Struct, frozen=True):
    """One thing that is asked of an entry.

    Attributes:
        trait: what of the entry is looked at.
        name: the annotation's name, the label's, or the tag, feature, variant or platform itself.
        value: of the annotation, or what the author asks of the label; only for these two.
    """

    trait: Trait
    name: Glob
    value: Glob = ANYTHING

    def __str__(self) -> str:
        """Return the condition in words, such as ``annotation org.example.mpi = mpich``."""
        value = "" if self.value == ANYTHING else f" = {self.value}"
        return f"{self.trait} {self.name}{value}"


class Requirement(msgspec.Struct, frozen=True):
    """Conditions that hold together.

    Attributes:
        conditions: all of them must hold; at least one.
        runtime_handler: the pulls that it is for, by the pod's runtime handler (empty for the node's default one).
    """

    conditions: tuple[Condition, ...]
    runtime_handler: Glob = ANYTHING

    def __str__(self) -> str:
        """Return the conditions in words."""
        return " and ".join(map(str, self.conditions))


class Preference(msgspec.Struct, frozen=True):
    """Entries that meet ``wish``, or one of ``others``, gain ``weight`` once; it may be negative."""

    wish: Requirement
    weight: int = 1
    others: tuple[Requirement, ...] = ()

    @property
    def wishes(self) -> tuple[Requirement, ...]:
        """Everything of which one is enough."""
        return (self.wish, *self.others)

    def __str__(self) -> str:
        """Return the wishes in words."""
        return " or ".join(map(str, self.wishes))


class Policy(msgspec.Struct, frozen=True):
    """How one pull is decided.

    Attributes:
        budget_seconds: longest time that a decision may take.
        order: the criteria of the ranking; ``TIER`` first, ``POSITION`` last, and what is left out does not count.
        prefer: what is preferred; the weights of what an entry meets add up.
        require: an entry that lacks one of these is no candidate.
        forbid: an entry that meets one of these is no candidate.
        platforms: ``os/architecture`` that the runtime handler of the pull runs, besides the node's own.
        trust_referrers: believe metadata that only refers to an image; nothing that is reachable from the index by
            digest vouches for it.
        dialects: families of artifacts among referrers, such as ``nfd``: the first that is there and can be read
            decides, and no others than these are looked for. Empty: all that are there must hold.
        require_signature: of referrers, only those that a trusted key has signed are believed.
        pod_annotations: names of the annotations by which a pod may narrow this policy.
        rule: which rule this is, such as ``[[image]] 2 (registry.example.org/*)``; empty for the default.
        notes: what the pod asked for and was not granted, for the log.
    """

    mode: Mode = Mode.ENFORCE
    no_match: NoMatch = NoMatch.REJECT
    unknown: Unknown = Unknown.LAST
    on_error: OnError = OnError.PASS_THROUGH
    budget_seconds: float = 10.0
    order: tuple[Criterion, ...] = ORDER
    prefer: tuple[Preference, ...] = ()
    require: tuple[Requirement, ...] = ()
    forbid: tuple[Requirement, ...] = ()
    platforms: tuple[str, ...] = ()
    trust_referrers: bool = False
    dialects: tuple[str, ...] = ()
    require_signature: bool = False
    pod_annotations: frozenset[str] = frozenset()
    rule: str = ""
    notes: tuple[str, ...] = ()

    @property
    def trust(self) -> tuple[str, ...]:
        """Whose word on an image is believed, as ``trust`` in the configuration names them."""
        return ("index", "referrers") if self.trust_referrers else ("index",)

    def __post_init__(self) -> None:
        """Raise ``ValueError`` for an order that would not be total."""
        ends = (self.order[:1], self.order[1:][-1:])
        if ends != ((Criterion.TIER,), (Criterion.POSITION,)) or len(set(self.order)) < len(self.order):
            raise ValueError("an order begins with tier, ends with position and has each criterion once")


class Pull(msgspec.Struct, frozen=True):
    """What is known of one pull before anything is looked up.

    Attributes:
        image: full name, ``host/path:tag`` or ``host/path@digest``.
        namespace: of the pod, in Kubernetes; empty where the request does not say.
        runtime_handler: of the pod; empty for the node's default one.
        annotations: of the pod.
    """

    image: str
    namespace: str = ""
    runtime_handler: str = ""
    annotations: Mapping[str, str] = msgspec.field(default_factory=dict)


class ImageRule(msgspec.Struct, frozen=True):
    """A policy for some pulls: those that every pattern matches."""

    policy: Policy
    image: Glob = ANYTHING
    namespace: Glob = ANYTHING
    runtime_handler: Glob = ANYTHING

    def matches(self, pull: Pull) -> bool:
        """Tell whether the rule is for this pull."""
        return (
            self.image.matches(pull.image)
            and self.namespace.matches(pull.namespace)
            and self.runtime_handler.matches(pull.runtime_handler)
        )


PREFER_TAG: Final = "imagefit.dev/prefer-tag"
"""Pod annotation: tags, separated by commas; an entry that has one of them or more gains a weight of 1."""
FORBID_TAG: Final = "imagefit.dev/forbid-tag"
"""Pod annotation: tags, separated by commas; an entry that has one is no candidate."""
MODE: Final = "imagefit.dev/mode"
"""Pod annotation: only ``off``."""
POD_ANNOTATIONS: Final = (PREFER_TAG, FORBID_TAG, MODE)
"""Every pod annotation that there is; the operator allows each by name."""
_MAX_TAGS = 16
_MAX_TAG_CHARACTERS = 128


class Policies(msgspec.Struct, frozen=True):
    """All policies of a node: the first rule that matches a pull decides, else the default."""

    default: Policy = msgspec.field(default_factory=Policy)
    rules: tuple[ImageRule, ...] = ()

    def of(self, pull: Pull) -> Policy:
        """Return the policy of one pull: that of its rule, for its runtime handler, narrowed by its pod."""
        policy = next((rule.policy for rule in self.rules if rule.matches(pull)), self.default)
        for_handler = replace(
            policy,
            prefer=tuple(one for one in policy.prefer if one.wish.runtime_handler.matches(pull.runtime_handler)),
            require=tuple(one for one in policy.require if one.runtime_handler.matches(pull.runtime_handler)),
        )
        return _narrowed(for_handler, pull.annotations)


def _narrowed(policy: Policy, annotations: Mapping[str, str]) -> Policy:
    """Return the policy with what a pod asks for; it may take away and order, never let in."""
    for name in POD_ANNOTATIONS:
        if name not in annotations:
            continue
        if name not in policy.pod_annotations:
            policy = _noted(policy, f"{name} is not allowed by the operator")
        elif name == MODE:
            is_off = annotations[name] == Mode.OFF
            policy = replace(policy, mode=Mode.OFF) if is_off else _noted(policy, f"{name} can only be 'off'")
        else:
            policy = _with_tags(policy, name, annotations[name])
    return policy


def _with_tags(policy: Policy, name: str, value: str) -> Policy:
    tags = [tag for part in value.split(",") if (tag := part.strip())]
    if len(tags) > _MAX_TAGS or any(len(tag) > _MAX_TAG_CHARACTERS for tag in tags):
        return _noted(policy, f"{name} has more than {_MAX_TAGS} tags, or one of over {_MAX_TAG_CHARACTERS} characters")
    wishes = tuple(Requirement((Condition(Trait.TAG, Glob(tag)),)) for tag in tags)
    if name == FORBID_TAG:
        return replace(policy, forbid=policy.forbid + wishes)
    # One preference for all: a pod that says much must not weigh more than one that says little.
    return replace(policy, prefer=(*policy.prefer, Preference(wishes[0], 1, wishes[1:]))) if wishes else policy


def _noted(policy: Policy, note: str) -> Policy:
    return replace(policy, notes=(*policy.notes, note))
