"""What a new configuration changes that a running daemon cannot take.

Knows which keys take effect only after a restart: the tables say so. Leaves reading anew to the daemon.
"""

from collections.abc import Iterator

import msgspec

from imagefit.config.keys import keys_of
from imagefit.config.kinds import Table
from imagefit.config.settings import Config


def needs_restart(old: Config, new: Config) -> tuple[str, ...]:
    """Return the names of the keys that differ and take effect only after a restart, such as ``server.socket``."""
    return tuple(_changed("", old, new))


def _changed(above: str, old: Table, new: Table) -> Iterator[str]:
    for field in msgspec.structs.fields(type(old)):
        before, after = getattr(old, field.name), getattr(new, field.name)
        if isinstance(before, Table):
            yield from _changed(f"{above}{field.encode_name}.", before, after)
        elif before != after and keys_of(type(old))[field.encode_name].needs_restart:
            yield f"{above}{field.encode_name}"
