"""The tables that make policies: ``[policy]``, ``[ranking]`` and ``[[image]]``.

Knows how they are written and which ``Policy`` they make. Leaves to ``model.policy`` which one is for a pull.
"""

from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from imagefit.config.conditions import Prefer, Prefers, Require, Requires, glob
from imagefit.config.kinds import (
    KIND,
    RULES,
    Contradiction,
    Order,
    Pattern,
    PatternOrEmpty,
    Platform,
    PodAnnotation,
    Seconds,
    Table,
    Trust,
    TrustList,
    about,
    order_contradictions,
    trust_contradictions,
)
from imagefit.model.policy import (
    ORDER,
    ImageRule,
    Mode,
    NoMatch,
    OnError,
    Policy,
    Unknown,
)

_SHOWN_CHARACTERS: Final = 120
_MAX_PLATFORMS: Final = 16
_PLATFORMS_KIND: Final = f"a list of up to {_MAX_PLATFORMS} platforms"


class PolicySettings(Table, frozen=True, kw_only=True):
    """``[policy]``: DESIGN's answers, and the longest time that a decision may take."""

    mode: Annotated[
        Mode,
        about(
            "What becomes of a choice: `enforce` has it pulled, `observe` decides, logs and counts but has pulled what "
            "was asked for, `off` passes pulls on without a look."
        ),
    ] = Mode.ENFORCE
    no_match: Annotated[
        NoMatch,
        about(
            "What happens when no entry fits: `reject` fails the pull at once with the reasons, `pass-through` leaves "
            "it to containerd."
        ),
    ] = NoMatch.REJECT
    unknown: Annotated[
        Unknown,
        about(
            "What becomes of entries of which it is not known whether they fit: `last` puts them after all that do, "
            "`reject` makes them no candidates."
        ),
    ] = Unknown.LAST
    on_error: Annotated[
        OnError,
        about(
            "What happens when nothing can be decided (the registry is away, the index is unusable, time is up): "
            "`pass-through` leaves the pull to containerd, `fail` fails it."
        ),
    ] = OnError.PASS_THROUGH
    trust: Annotated[
        TrustList,
        about(
            "Whose metadata is believed: `index`, what the index vouches for by digest, always; with `referrers` what "
            "others attached to the image, too. That can make entries worse, and never save one that the index "
            "excludes; see `[trust.referrers]`."
        ),
    ] = (Trust.INDEX,)
    time_budget: Annotated[Seconds, about("Longest time for a decision; `on-error` says what happens then.")] = 10.0
    pod_annotations: Annotated[
        tuple[PodAnnotation, ...],
        about(
            "By which annotations pods may change the policy of their own pulls. `imagefit.dev/mode` switches off "
            "`require` and `no-match` for such a pull, too: name it only where pods may do that."
        ),
    ] = ()

    def policy(self, order: Order, prefer: tuple[Prefer, ...], require: tuple[Require, ...]) -> Policy:
        """Return the policy of every pull that no rule is for."""
        return Policy(
            mode=self.mode,
            no_match=self.no_match,
            unknown=self.unknown,
            on_error=self.on_error,
            budget_seconds=self.time_budget,
            order=order,
            prefer=tuple(one.preference for one in prefer),
            require=tuple(one.requirement for one in require),
            trust_referrers=Trust.REFERRERS in self.trust,
            pod_annotations=_names(self.pod_annotations),
        )

    def contradictions(self) -> list[Contradiction]:
        """Return what makes the policy impossible."""
        return trust_contradictions(self.trust)


class Ranking(Table, frozen=True, kw_only=True):
    """``[ranking]``: what ranks one entry before another."""

    order: Annotated[
        Order,
        about(
            "The criteria, most important first. `tier` (those that fit before those that may) must be the first, "
            "`position` (in the index) the last; what is left out does not count."
        ),
    ] = ORDER

    def contradictions(self) -> list[Contradiction]:
        """Return what makes the order impossible."""
        return order_contradictions("order", self.order)


class ImageSettings(Table, frozen=True, kw_only=True):
    """``[[image]]``: a policy for some pulls; the first that is for a pull decides."""

    match: Annotated[
        Pattern | UnsetType,
        about("Full name of the image: `host/path:tag`, or `host/path@digest` for pulls by digest."),
    ] = UNSET
    namespace: Annotated[PatternOrEmpty | UnsetType, about("Namespace of the pod; empty where none is told.")] = UNSET
    runtime_handler: Annotated[
        PatternOrEmpty | UnsetType, about("Runtime handler of the pod; empty for the node's default one.")
    ] = UNSET
    mode: Annotated[Mode | UnsetType, about("As in `[policy]`, for these pulls.")] = UNSET
    no_match: Annotated[NoMatch | UnsetType, about("As in `[policy]`, for these pulls.")] = UNSET
    unknown: Annotated[Unknown | UnsetType, about("As in `[policy]`, for these pulls.")] = UNSET
    on_error: Annotated[OnError | UnsetType, about("As in `[policy]`, for these pulls.")] = UNSET
    trust: Annotated[TrustList | UnsetType, about("As in `[policy]`, for these pulls.")] = UNSET
    time_budget: Annotated[Seconds | UnsetType, about("As in `[policy]`, for these pulls.")] = UNSET
    pod_annotations: Annotated[tuple[PodAnnotation, ...] | UnsetType, about("As in `[policy]`, for these pulls.")] = (
        UNSET
    )
    ranking: Annotated[Order | UnsetType, about("The criteria as in `[ranking] order`, for these pulls.")] = UNSET
    prefer: Annotated[Prefers | UnsetType, about("Instead of all `[[prefer]]`; `[]` for none.")] = UNSET
    require: Annotated[Requires | UnsetType, about("Instead of all `[[require]]`; `[]` for none.")] = UNSET
    platforms: Annotated[
        Annotated[tuple[Platform, ...], msgspec.Meta(max_length=_MAX_PLATFORMS, extra={KIND: _PLATFORMS_KIND})],
        about("Platforms that the runtime handler of these pulls runs besides the node's own, such as `wasi/wasm`."),
    ] = ()

    def rule(self, number: int, default: Policy) -> ImageRule:
        """Return the rule.

        Args:
            number: of the table among all ``[[image]]``, from 1.
            default: what holds for keys that are not given.
        """
        written: dict[str, Any] = {
            "mode": self.mode,
            "no_match": self.no_match,
            "unknown": self.unknown,
            "on_error": self.on_error,
            "budget_seconds": self.time_budget,
            "order": self.ranking,
            "prefer": UNSET if self.prefer is UNSET else tuple(one.preference for one in self.prefer),
            "require": UNSET if self.require is UNSET else tuple(one.requirement for one in self.require),
            "trust_referrers": UNSET if self.trust is UNSET else Trust.REFERRERS in self.trust,
            "pod_annotations": UNSET if self.pod_annotations is UNSET else _names(self.pod_annotations),
        }
        given = {name: value for name, value in written.items() if value is not UNSET}
        policy = replace(default, **given, platforms=self.platforms, rule=f"[[image]] {number} ({self._patterns})")
        return ImageRule(policy, glob(self.match), glob(self.namespace), glob(self.runtime_handler))

    @property
    def _patterns(self) -> str:
        named = (("", self.match), ("namespace ", self.namespace), ("runtime-handler ", self.runtime_handler))
        words = ", ".join(f"{name}{pattern or repr('')}" for name, pattern in named if pattern is not UNSET)
        return words if len(words) <= _SHOWN_CHARACTERS else f"{words[: _SHOWN_CHARACTERS - 1]}…"

    def contradictions(self) -> list[Contradiction]:
        """Return what makes the rule impossible."""
        if UNSET is self.match is self.namespace is self.runtime_handler:
            advice = "give match, namespace or runtime-handler; what holds for every pull goes under [policy]"
            return [Contradiction("", "does not say for which pulls it is", advice)]
        trust = [] if self.trust is UNSET else trust_contradictions(self.trust)
        return trust + ([] if self.ranking is UNSET else order_contradictions("ranking", self.ranking))


IMAGE_SHAPE: Final = msgspec.Meta(
    extra_json_schema={"anyOf": [{"required": [key]} for key in ("match", "namespace", "runtime-handler")]}
)
"""What JSON Schema says of a rule as ``ImageSettings.contradictions`` does."""
Images = Annotated[tuple[Annotated[ImageSettings, IMAGE_SHAPE], ...], RULES]


def _names(annotations: tuple[PodAnnotation, ...]) -> frozenset[str]:
    return frozenset(one.value for one in annotations)
