"""Writes what is generated: ``make docs``, or ``python -m docs.generators``.

One module for each page and the files that belong to it; its ``files()`` returns what stands where.
"""
