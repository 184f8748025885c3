"""A relay that makes a network of loopback: what comes in goes out a while later, in either direction.

Knows delay and nothing of what passes; there is no limit of bandwidth. As with TCP itself a connection takes one round
trip before its first byte. A process of its own, so that it takes no time from whom is measured:
``python -m benchmarks.pulls_relay PORT TARGET-PORT MILLISECONDS``, each direction.
"""

import asyncio
import contextlib
import sys
from functools import partial
from typing import Final

_CHUNK_BYTES: Final = 256 * 1024
# What is under way at most in one direction; beyond it the sender waits.
_CHUNKS: Final = 256


async def relay(port: int, target_port: int, delay_seconds: float) -> None:
    """Relay connections to 127.0.0.1:``port`` until cancelled, ``delay_seconds`` in either direction."""
    server = await asyncio.start_server(partial(_connected, target_port, delay_seconds), "127.0.0.1", port)
    async with server:
        await server.serve_forever()


async def _connected(
    target_port: int, delay_seconds: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    await asyncio.sleep(2 * delay_seconds)
    with contextlib.suppress(OSError):
        there, back = await asyncio.open_connection("127.0.0.1", target_port)
        async with asyncio.TaskGroup() as directions:
            directions.create_task(_passed_on(reader, back, delay_seconds))
            directions.create_task(_passed_on(there, writer, delay_seconds))


async def _passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_seconds: float) -> None:
    loop = asyncio.get_running_loop()
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_CHUNKS)

    async def received() -> None:
        chunk = b"-"
        while chunk:
            try:
                chunk = await reader.read(_CHUNK_BYTES)
            except OSError:
                chunk = b""
            await under_way.put((loop.time() + delay_seconds, chunk))

    receiving = asyncio.ensure_future(received())
    try:
        while True:
            due, chunk = await under_way.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not chunk:
                return
            writer.write(chunk)
            await writer.drain()
    except OSError:
        return
    finally:
        receiving.cancel()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(relay(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) / 1000))
