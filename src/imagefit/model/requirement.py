"""What an index entry needs of a node, in the one normal form that every dialect ends in.

Knows checks, alternatives and documents as values. Leaves to ``formats`` how they are written and to
``selection`` whether they hold.
"""

from dataclasses import dataclass, field

from imagefit.model.ranges import Ranges


@dataclass(frozen=True, slots=True)
class Problem:
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


@dataclass(frozen=True, slots=True)
class EqualTo:
    """The value is one of these; numbers and booleans compare as such.

    Attributes:
        values: any of them will do.
        ignore_case: for hexadecimal identifiers.
    """

    values: tuple[str, ...]
    ignore_case: bool = False


@dataclass(frozen=True, slots=True)
class InRanges:
    """The value's leading numbers lie in the ranges."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Includes:
    """The value, a comma-separated list, has this item."""

    item: str


Test = EqualTo | InRanges | Includes


@dataclass(frozen=True, slots=True)
class HasFlag:
    """One of ``names`` is set in one of ``features``."""

    features: tuple[str, ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HasValue:
    """``element`` of one of ``features`` passes ``test``."""

    features: tuple[str, ...]
    element: str
    test: Test


@dataclass(frozen=True, slots=True)
class HasInstance:
    """One instance of ``feature`` passes every test, each on one of its attributes."""

    feature: str
    tests: tuple[tuple[str, Test], ...]


@dataclass(frozen=True, slots=True)
class RunsOn:
    """The node runs what is built for this platform; architecture and variant are normalised, ``os`` is as written."""

    os: str
    architecture: str
    variant: str


Question = HasFlag | HasValue | HasInstance | RunsOn


@dataclass(frozen=True, slots=True)
class Check:
    """One test on one fact.

    Attributes:
        label: the author's word for the fact, such as ``oci.kernel.version``.
        asked: what the author asks of it, such as ``>=5.10``.
        question: the same, ready to be answered.
        negated: the check holds where the question's answer is no.
        depth: of the microarchitecture level that the check implies; 0 for none.
    """

    label: str
    asked: str
    question: Question
    negated: bool = False
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Alternative:
    """One acceptable set: every check must hold.

    Attributes:
        checks: in the author's order.
        score: the author's preference among sets; higher is better.
        tags: the author's names for the set.
        description: the author's words on it.
        place: JSON pointer inside the document.
    """

    checks: tuple[Check, ...]
    score: int = 0
    tags: tuple[str, ...] = ()
    description: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """One piece of metadata, read: one alternative that holds is enough.

    Attributes:
        dialect: how it was written.
        alternatives: those that could be read, in the author's order.
        problems: of those that could not. A document with problems and no alternative says nothing that can be judged.
    """

    dialect: str
    alternatives: tuple[Alternative, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def readable(self) -> bool:
        """Whether anything is left of it that can be judged."""
        return bool(self.alternatives) or not self.problems


@dataclass(frozen=True, slots=True)
class Profile:
    """What one entry needs and claims.

    Attributes:
        checks: needs of the entry as a whole (platform, features); all must hold.
        documents: metadata of the entry; each must hold.
        claims: what the entry says it is (annotations); they only rank.
        problems: what could not be read of the entry itself.
    """

    checks: tuple[Check, ...] = ()
    documents: tuple[Document, ...] = ()
    claims: dict[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
