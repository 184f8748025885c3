"""What becomes of one pull.

Knows everything between a request and its outcome, but for the choice itself. Leaves that to ``selection``, what comes
from outside to ``registry`` and ``trust``, and what is done with the outcome to ``cri``.

To read in this order: ``service`` (the loop), ``metadata`` (what it fetches), ``consequence`` (what the policy makes of
a decision or an error), ``recent`` (what need not be decided again), ``report`` (how it is told).
"""

from imagefit.service.service import Service

__all__ = ["Service"]
