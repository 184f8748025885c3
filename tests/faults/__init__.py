"""Faults on the real containerd and registry, each at each step of a pull: ``make faults`` and ``make soak``."""
