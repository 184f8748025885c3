"""Tells whether committed generated code has the messages that its ``.proto`` file says: ``drift.py MADE COMMITTED``.

Compares what the generator wrote of the messages themselves, so another version of the generator, or a formatter that
went over the file, is no drift.
"""

import ast
import sys
from pathlib import Path


def serialized(source: str) -> bytes:
    """Return the encoded file descriptor inside the generated ``source``.

    Raises:
        ValueError: it is not generated code.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("AddSerializedFile"):
            content = ast.literal_eval(node.args[0])
            if isinstance(content, bytes):
                return content
    raise ValueError("no message descriptors in this file")


def main(made: Path, committed: Path) -> int:
    """Compare every ``*_pb2.py`` under ``made`` with its namesake under ``committed``; return the exit status."""
    drifted = [
        path
        for path in sorted(found.relative_to(made) for found in made.rglob("*_pb2.py"))
        if serialized((made / path).read_text()) != serialized((committed / path).read_text())
    ]
    for path in drifted:
        sys.stderr.write(f"{path} is not what its .proto file says: run make proto\n")
    return 1 if drifted else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
