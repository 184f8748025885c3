"""Decisions that hold again: the same index, on the same node and by the same policy, comes out the same.

Knows when that is so and how much is kept. Leaves deciding to ``service``, which asks only after the registry has shown
the index to the credentials of the pull: what is known of one repository is never told to those who ask another.
"""

from collections import OrderedDict
from typing import Final

import msgspec

from imagefit.model.decision import Decision
from imagefit.model.facts import Node
from imagefit.model.policy import Policy
from imagefit.model.reference import ImageReference
from imagefit.model.requirement import count_checks

MAX_ENTRIES: Final = 64
"""Most entries of an index whose decision is kept."""
MAX_CHECKS: Final = 1_000
"""Most checks in a decision that is kept."""
MAX_CHECKS_TOGETHER: Final = 8_000
"""Most checks in all decisions that are kept, an entry counted as one besides; a check takes some 600 bytes. Decisions
that were longest of no use go first."""


class _Kept(msgspec.Struct, frozen=True):
    policy: Policy
    decision: Decision
    size: int


class Recent:
    """The latest decisions that came of nothing but an index, a node and a policy. For one event loop."""

    def __init__(self) -> None:
        """Know none."""
        self._node: Node | None = None
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._size = 0

    def find(self, reference: ImageReference, digest: str, policy: Policy, node: Node) -> Decision | None:
        """Return the decision on an index, None where there is none or it was made for another policy or node.

        Args:
            reference: by which the index was asked for; its repository counts.
            digest: of the index.
            policy: of this pull.
            node: this very value; with another one all that is known is forgotten.
        """
        self._turn_to(node)
        key = (reference.repository, digest)
        kept = self._kept.get(key)
        if kept is None or kept.policy != policy:
            return None
        self._kept.move_to_end(key)
        return kept.decision

    def keep(self, reference: ImageReference, decision: Decision, node: Node) -> None:
        """Keep a decision, unless it is a large one. Arguments as of ``find``."""
        self._turn_to(node)
        key = (reference.repository, decision.index_digest)
        self._forget(key)
        size = _size_of(decision)
        if size > MAX_CHECKS:
            return
        self._kept[key] = _Kept(decision.policy, decision, size)
        self._size += size
        while self._size > MAX_CHECKS_TOGETHER:
            self._forget(next(iter(self._kept)))

    def _turn_to(self, node: Node) -> None:
        if node is not self._node:
            self._node = node
            self._kept.clear()
            self._size = 0

    def _forget(self, key: tuple[str, str]) -> None:
        kept = self._kept.pop(key, None)
        self._size -= kept.size if kept else 0


def _size_of(decision: Decision) -> int:
    """Return how many entries and checks a decision holds; beyond what is kept, anything that is more."""
    if len(decision.ranking) > MAX_ENTRIES:
        return MAX_CHECKS + 1
    documents = {id(one): one for ranked in decision.ranking for one in ranked.verdict.documents}
    sets = [one.alternative for document in documents.values() for one in document.alternatives]
    own = sum(len(ranked.verdict.findings) for ranked in decision.ranking)
    return len(decision.ranking) + own + len(sets) + sum(count_checks(one.needs) for one in sets)
