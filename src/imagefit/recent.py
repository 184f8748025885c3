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

MAX_INDEX_BYTES: Final = 16 * 1024
"""Largest index whose decision is kept; a decision takes some ten times the memory of its index."""
MAX_BYTES: Final = 16 * MAX_INDEX_BYTES
"""Most bytes of indexes whose decisions are kept; those that were longest of no use go first."""


class _Kept(msgspec.Struct, frozen=True):
    policy: Policy
    node: Node
    decision: Decision
    index_bytes: int


class Recent:
    """The latest decisions that came of nothing but an index, a node and a policy. For one event loop."""

    def __init__(self) -> None:
        """Know none."""
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._bytes = 0

    def find(self, reference: ImageReference, digest: str, policy: Policy, node: Node) -> Decision | None:
        """Return the decision on an index, None where there is none or it was made for another policy or node.

        Args:
            reference: by which the index was asked for; its repository counts.
            digest: of the index.
            policy: of this pull.
            node: this very value: facts that were detected anew may be others.
        """
        key = (reference.repository, digest)
        kept = self._kept.get(key)
        if kept is None or kept.node is not node or kept.policy != policy:
            return None
        self._kept.move_to_end(key)
        return kept.decision

    def keep(self, reference: ImageReference, decision: Decision, node: Node, index_bytes: int) -> None:
        """Keep a decision; ``index_bytes`` is the size of its index. Other arguments as of ``find``."""
        if index_bytes > MAX_INDEX_BYTES:
            return
        key = (reference.repository, decision.index_digest)
        self._forget(key)
        self._kept[key] = _Kept(decision.policy, node, decision, index_bytes)
        self._bytes += index_bytes
        while self._bytes > MAX_BYTES:
            self._forget(next(iter(self._kept)))

    def _forget(self, key: tuple[str, str]) -> None:
        kept = self._kept.pop(key, None)
        self._bytes -= kept.index_bytes if kept else 0
