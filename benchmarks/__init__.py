"""How far imagefit is from not being there: ``python -m benchmarks --help``. Nothing of it runs in the test suite."""
