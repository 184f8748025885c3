"""``[[prefer]]`` and ``[[require]]``: conditions that entries meet.

Knows how they are written and which ``Requirement`` they make. Leaves to ``selection`` which entries meet them.
"""

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, UnsetType

from imagefit.config.kinds import RULES, Contradiction, Pattern, PatternOrEmpty, Table, Weight, about
from imagefit.model.glob import ANYTHING, Glob
from imagefit.model.policy import Condition, Preference, Requirement, Trait

_VALUED: Final = (Trait.ANNOTATION, Trait.LABEL)


def glob(pattern: str | UnsetType) -> Glob:
    """Return a pattern; one that is not given matches everything."""
    return ANYTHING if pattern is UNSET else Glob(pattern)


class Require(Table, frozen=True, kw_only=True):
    """``[[require]]``: conditions that an entry must meet all of to be a candidate."""

    annotation: Annotated[Pattern | UnsetType, about("Name of an annotation of the entry.")] = UNSET
    label: Annotated[Pattern | UnsetType, about("Name of a label of the entry's metadata that holds on this node.")] = (
        UNSET
    )
    value: Annotated[
        PatternOrEmpty | UnsetType,
        about("Value of that annotation, or what that label asks for; goes with exactly one of the two."),
    ] = UNSET
    tag: Annotated[Pattern | UnsetType, about("Tag of a set of the entry's metadata that holds on this node.")] = UNSET
    feature: Annotated[
        Pattern | UnsetType,
        about("CPU feature that the entry asks for, or one of its platform's `os.features`; in any case."),
    ] = UNSET
    variant: Annotated[
        Pattern | UnsetType, about("Variant of the entry's platform, such as `v3`; a plain `amd64` is `v1`.")
    ] = UNSET
    platform: Annotated[
        Pattern | UnsetType, about("The entry's platform as the index has it, such as `linux/amd64*`.")
    ] = UNSET
    runtime_handler: Annotated[
        PatternOrEmpty | UnsetType, about("Only for pulls with this runtime handler; empty for the node's default one.")
    ] = UNSET

    @property
    def requirement(self) -> Requirement:
        """The conditions as the ranking takes them."""
        given = [(trait, name) for trait in Trait if isinstance(name := getattr(self, trait), str)]
        value = glob(self.value)
        conditions = [Condition(trait, Glob(name), value if trait in _VALUED else ANYTHING) for trait, name in given]
        return Requirement(tuple(conditions), glob(self.runtime_handler))

    def contradictions(self) -> list[Contradiction]:
        """Return what makes the conditions impossible."""
        given = [trait for trait in Trait if getattr(self, trait) is not UNSET]
        if not given:
            return [Contradiction("", "asks for nothing", f"give one or more of {', '.join(Trait)}")]
        if self.value is not UNSET and len(set(given) & set(_VALUED)) != 1:
            both = "both: write two tables" if set(_VALUED) <= set(given) else "neither"
            return [Contradiction("value", f"goes with annotation or label, and here is {both}")]
        return []


class Prefer(Require, frozen=True, kw_only=True):
    """``[[prefer]]``: conditions that the operator likes, or with a negative weight dislikes."""

    weight: Annotated[
        Weight, about("Added to the preference of entries that meet all conditions; negative to dislike.")
    ] = 1

    def contradictions(self) -> list[Contradiction]:
        """Return what makes the preference impossible."""
        nothing = [] if self.weight else [Contradiction("weight", "is 0, which changes nothing")]
        return [*super().contradictions(), *nothing]

    @property
    def preference(self) -> Preference:
        """The preference as the ranking takes it."""
        return Preference(self.requirement, self.weight)


REQUIRE_SHAPE: Final = msgspec.Meta(
    extra_json_schema={
        "anyOf": [{"required": [trait.value]} for trait in Trait],
        "dependentSchemas": {"value": {"oneOf": [{"required": [trait.value]} for trait in _VALUED]}},
    }
)
"""What JSON Schema says of a table of conditions as ``Require.contradictions`` does."""
Prefers = Annotated[tuple[Annotated[Prefer, REQUIRE_SHAPE], ...], RULES]
Requires = Annotated[tuple[Annotated[Require, REQUIRE_SHAPE], ...], RULES]
