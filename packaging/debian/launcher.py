#!/usr/bin/python3 -BIS
"""Starts imagefit from what its package brings: no folder of the user, the system or the caller, no PYTHONPATH."""

import sys

sys.path[:0] = ["/usr/lib/imagefit"]
sys.path += ["/usr/lib/imagefit-plugins"]  # what `pip install --target` put there: detectors that the operator names

from imagefit.cli.main import run  # noqa: E402 - it is found only now

run()
