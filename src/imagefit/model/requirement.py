"""What an index entry needs of a node, in the one normal form that every dialect ends in.

Knows checks, groups of them, alternatives and documents as values. Leaves to ``formats`` how they are written and to
``selection`` whether they hold. Negation stands at the checks only: "none of" is written as "all of" over negated
needs, so a group is "all of" or "any of".
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import assert_never

import msgspec
from msgspec.structs import force_setattr, replace

from imagefit.model.facts import NFD_FEATURES
from imagefit.model.ranges import Ranges

_NAMES_WEIGH = 500
_INSTANCES_WEIGH = 8


class Problem(msgspec.Struct, frozen=True, gc=False):
    """Something that could not be read, with its place.

    Attributes:
        message: one sentence.
        place: JSON pointer inside the index or the document, such as ``/compatibilities/1/oci.kernel.version``.
    """

    message: str
    place: str = ""

    def __str__(self) -> str:
        """Return the place and the message."""
        return f"{self.place}: {self.message}" if self.place else self.message


class Origin(msgspec.Struct, frozen=True):
    """An artifact that only refers to what it is about: nothing that is reachable from the index vouches for it.

    Attributes:
        referrer: digest of the artifact.
        family: what its artifact type stands for, such as ``nfd``.
        subject: digest of what it refers to, an entry or the index.
    """

    referrer: str
    family: str
    subject: str


class EqualTo(msgspec.Struct, frozen=True):
    """The value is one of these; numbers and booleans compare as such.

    Attributes:
        values: any of them will do.
        ignore_case: for hexadecimal identifiers.
    """

    values: tuple[str, ...]
    ignore_case: bool = False


class InRanges(msgspec.Struct, frozen=True):
    """The value's leading numbers lie in the ranges."""

    ranges: Ranges


class Includes(msgspec.Struct, frozen=True):
    """The value, a comma-separated list, has this item."""

    item: str


class SameBuild(msgspec.Struct, frozen=True):
    """The value, a Windows version, has the same first three numbers as ``version``."""

    version: str


Test = EqualTo | InRanges | Includes | SameBuild


class HasFlag(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    """One of ``names`` is set in one of ``features``."""

    features: tuple[str, ...]
    names: tuple[str, ...]


class HasValue(msgspec.Struct, frozen=True):
    """``element`` of one of ``features`` passes ``test``."""

    features: tuple[str, ...]
    element: str
    test: Test


class HasInstance(msgspec.Struct, frozen=True):
    """One instance of ``feature`` passes every test, each on one of its attributes."""

    feature: str
    tests: tuple[tuple[str, Test], ...]


class RunsOn(msgspec.Struct, frozen=True):
    """The node runs what is built for this platform; architecture and variant are normalised, ``os`` is as written."""

    os: str
    architecture: str
    variant: str


class Op(StrEnum):
    """What an NFD expression asks of one value; names and meaning are NFD's."""

    ANY = ""
    IN = "In"
    NOT_IN = "NotIn"
    IN_REGEXP = "InRegexp"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"
    GT = "Gt"
    GE = "Ge"
    LT = "Lt"
    LE = "Le"
    GT_LT = "GtLt"
    GE_LE = "GeLe"
    IS_TRUE = "IsTrue"
    IS_FALSE = "IsFalse"


_QUICK_ON_NAMES = frozenset({Op.ANY, Op.IN, Op.NOT_IN, Op.EXISTS, Op.DOES_NOT_EXIST, Op.IS_TRUE, Op.IS_FALSE})


class Expression(msgspec.Struct, frozen=True):
    """One NFD expression, found to be well-formed.

    Attributes:
        op: what is asked.
        values: as many as the op takes; regular expressions are RE2's.
        versions: numbers are versions of up to three numbers, not whole numbers.
    """

    op: Op
    values: tuple[str, ...] = ()
    versions: bool = False


class MatchesTerm(msgspec.Struct, frozen=True):
    """A feature matches one term of an NFD rule.

    Attributes:
        feature: ``domain.feature`` in lower-case.
        elements: expressions on elements that must all hold; of instances, on one and the same.
        name: an expression that the name of one element (of an instance: of one attribute) must pass.
    """

    feature: str
    elements: tuple[tuple[str, Expression], ...] | None
    name: Expression | None = None


Question = HasFlag | HasValue | HasInstance | RunsOn | MatchesTerm


class Check(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    """One test on one fact.

    Attributes:
        label: the author's word for the fact, such as ``oci.kernel.version``.
        asked: what the author asks of it, such as ``>=5.10``.
        question: the same, ready to be answered.
        negated: the check holds where the question's answer is no.
        depth: of the microarchitecture level that the check implies; 0 for none.
        weight: how many plain checks cost as much to answer; follows from the question.
    """

    label: str
    asked: str
    question: Question
    negated: bool = False
    depth: int = 0
    weight: int = 0

    def __post_init__(self) -> None:
        """Weigh the question."""
        force_setattr(self, "weight", _weight(self.question))


def _weight(question: Question) -> int:
    """Return what a question weighs: a kernel has ten thousand options, a server hundreds of devices."""
    match question:
        case HasInstance(tests=tests):
            return _INSTANCES_WEIGH * max(1, len(tests))
        case MatchesTerm(name=Expression(op=op)) if op not in _QUICK_ON_NAMES:
            return _NAMES_WEIGH
        case MatchesTerm(feature=feature, elements=elements) if elements:
            by_instance = NFD_FEATURES.get(feature, "instances") == "instances"
            return len(elements) * (_INSTANCES_WEIGH if by_instance else 1)
        case _:
            return 1


class Group(msgspec.Struct, frozen=True):
    """Needs that hold together.

    Attributes:
        any_of: one that holds is enough; otherwise all must.
        members: in the author's order.
        name: the author's word for the group, such as the name of a rule; may be empty.
        weight: of all its members; follows from them.
    """

    any_of: bool
    members: tuple["Need", ...]
    name: str = ""
    weight: int = 0

    def __post_init__(self) -> None:
        """Weigh the members."""
        force_setattr(self, "weight", count_checks(self.members))


Need = Check | Group


def negated(need: Need) -> Need:
    """Return the need that holds where ``need`` does not, negation moved down to the checks."""
    match need:
        case Check():
            asked = need.asked.removeprefix("not ") if need.asked.startswith("not ") else f"not {need.asked}"
            return replace(need, asked=asked, negated=not need.negated, depth=0)
        case Group():
            return Group(not need.any_of, tuple(map(negated, need.members)), need.name)
        case _:
            assert_never(need)


def count_checks(needs: Iterable[Need]) -> int:
    """Return the weight of all checks in ``needs``, those inside groups included."""
    return sum([need.weight for need in needs])


class Alternative(msgspec.Struct, frozen=True, gc=False):
    """One acceptable set: every need must hold.

    Attributes:
        needs: in the author's order.
        score: the author's preference among sets; higher is better.
        tags: the author's names for the set.
        description: the author's words on it.
        place: JSON pointer inside the document.
    """

    needs: tuple[Need, ...]
    score: int = 0
    tags: tuple[str, ...] = ()
    description: str = ""
    place: str = ""


class Document(msgspec.Struct, frozen=True, gc=False):
    """One piece of metadata, read: one alternative that holds is enough.

    Attributes:
        dialect: how it was written.
        alternatives: those that could be read, in the author's order.
        problems: of those that could not. A document with problems and no alternative says nothing that can be judged.
        incomplete: there are further alternatives that have not been read, so that no answer is a no.
        origin: the referrer that it came from; None for what the index vouches for.
    """

    dialect: str
    alternatives: tuple[Alternative, ...] = ()
    problems: tuple[Problem, ...] = ()
    incomplete: bool = False
    origin: Origin | None = None

    @property
    def readable(self) -> bool:
        """Whether anything is left of it that can be judged."""
        return bool(self.alternatives) or not self.problems


class Profile(msgspec.Struct, frozen=True):
    """What one entry needs and claims.

    Attributes:
        checks: needs of the entry as a whole (platform, features); all must hold.
        documents: metadata of the entry; each must hold.
        claims: what the entry says it is (annotations, a unikernel's configuration); they only rank.
        problems: what could not be read of the entry itself.
    """

    checks: tuple[Check, ...] = ()
    documents: tuple[Document, ...] = ()
    claims: dict[str, str] = msgspec.field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
