"""The smallest ``grpc.aio`` server there is: what any daemon in Python pays to listen. Run with a socket's path."""

import asyncio
import sys

import grpc.aio


async def _serve(socket: str) -> None:
    server = grpc.aio.server()
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
