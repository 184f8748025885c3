"""Has the daemon that runs import all of itself, before its files are replaced.

Knows that what answers pulls is imported with the first of them, and that a health check needs all of it, too. Who
nobody answers has nothing to be prepared. Arguments: the folder of the bundle, and the configuration file unless it is
the default one. ``prerm`` starts it.
"""

import sys
from pathlib import Path

_CHECK = "/grpc.health.v1.Health/Check"
_SECONDS = 15.0


def main() -> None:
    """Ask, and wait for the answer."""
    sys.path[:0] = sys.argv[1:2]
    import grpc

    from imagefit.config import load_config

    config = load_config(Path(sys.argv[2]) if sys.argv[2:] else None)
    target = f"unix:{config.server.socket}"
    with grpc.insecure_channel(target, options=(("grpc.default_authority", "localhost"),)) as channel:
        channel.unary_unary(_CHECK, request_serializer=bytes, response_deserializer=bytes)(b"", timeout=_SECONDS)


main()
