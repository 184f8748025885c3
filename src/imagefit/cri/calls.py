"""Calls on gRPC's core, one layer below the classes of ``grpc.aio``.

Those spend several tasks on a call, and a cancellation that reaches what they wait for loses what the core has set
aside for the answer: 0.9 kB for each cancelled call with grpcio 1.85, against 10 bytes this way. Knows how the core is
asked, waited for and told to stop. Leaves to ``backend`` the channel, and to others what the bytes mean.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Coroutine
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

import grpc
import grpc.aio

from imagefit.errors import ImagefitError

CallMetadata = tuple[tuple[str, str | bytes], ...]

_END: Final[Any] = grpc.aio.EOF  # type: ignore[attr-defined] # missing in the stubs
_OK: Final = 0
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
_CORE: Final = (
    *("unary_unary", "initiate_unary_stream", "receive_serialized_message", "status", "done", "cancel"),
    *("is_locally_cancelled", "_status", "_initial_metadata"),
)
_Result = TypeVar("_Result")


def check(channel: grpc.aio.Channel) -> None:
    """Find out whether this grpcio has what is used here below its public classes.

    Raises:
        ImagefitError: it has not; better told before anybody is listened to than with every call.
    """
    try:
        call = Call(channel, b"/check", None)
        missing = [name for name in _CORE if not hasattr(call._core, name)]  # noqa: SLF001 - it is this module's
    except (AttributeError, TypeError) as error:
        missing = [str(error)]
    if missing:
        raise ImagefitError(
            f"grpcio {grpc.__version__} is none that imagefit works with: {', '.join(missing)}",
            advice="install a grpcio that imagefit's package allows",
        )


class Answer(NamedTuple):
    """What containerd answered to a call with one reply.

    Attributes:
        reply: the message.
        initial: metadata that came ahead of it.
        trailing: metadata that came after it.
    """

    reply: bytes
    initial: CallMetadata
    trailing: CallMetadata


class Call:
    """One call. To be asked once, either for one reply or for a stream of them."""

    __slots__ = ("_core",)

    def __init__(self, channel: grpc.aio.Channel, method: bytes, timeout_seconds: float | None) -> None:
        """Prepare a call; nothing is sent yet.

        Args:
            channel: over which it goes.
            method: full name, such as ``/runtime.v1.ImageService/ImageStatus``.
            timeout_seconds: deadline from now on; None for none.
        """
        deadline = None if timeout_seconds is None else time.time() + timeout_seconds
        core: Any = channel._channel  # type: ignore[attr-defined] # noqa: SLF001 - the core's channel
        self._core = core.call(method, deadline, None, None)

    @property
    def code(self) -> grpc.StatusCode | None:
        """How the call ended; None while it has not."""
        status = self._core._status  # noqa: SLF001 - the public way is a coroutine
        return None if status is None else _code(status)

    @property
    def initial(self) -> CallMetadata:
        """Metadata that came ahead of the first reply; empty while there is none.

        Of a stream that ends at once the core at times forgets them.
        """
        return self._core._initial_metadata or ()  # noqa: SLF001 - the public way is a coroutine

    @property
    def trailing(self) -> CallMetadata:
        """Metadata that came at the end; empty while it has not."""
        status = self._core._status  # noqa: SLF001 - see ``code``
        return (status and status.trailing_metadata()) or ()

    async def answer(self, request: bytes, metadata: CallMetadata) -> Answer:
        """Send a request and wait for its only reply.

        Raises:
            grpc.aio.AioRpcError: the call ended with an error.
        """
        reply = await self._seen_through(self._core.unary_unary(request, metadata))
        self._raise_for_error()
        return Answer(reply, self.initial, self.trailing)

    async def begin(self, request: bytes, metadata: CallMetadata) -> CallMetadata:
        """Send a request and wait for what comes ahead of its replies."""
        await self._seen_through(self._core.initiate_unary_stream(request, metadata))
        return self.initial

    async def messages(self) -> AsyncGenerator[bytes, None]:
        """Yield the replies to a call that has begun.

        Raises:
            grpc.aio.AioRpcError: the call ended with an error.
        """
        while (message := await self._seen_through(self._core.receive_serialized_message())) is not _END:
            yield message
        await self._seen_through(self._core.status())
        self._raise_for_error()

    def cancel(self) -> None:
        """Cancel the call, if it has not ended."""
        if not self._core.done():
            self._core.cancel("the caller has gone")

    async def _seen_through(self, work: Coroutine[Any, None, _Result]) -> _Result:
        """Wait for work of the core; if the waiting is cancelled, cancel the call and let the work end in its own time.

        The work runs here and not in a task of its own, up to each future that it waits for: only the waiting for that
        is left to be cancelled.
        """
        while True:
            try:
                future = work.send(None)
            except StopIteration as done:
                result: _Result = done.value
                return result
            arrived = future.get_loop().create_future()
            future.add_done_callback(partial(_arrive, arrived))
            try:
                await arrived
            except asyncio.CancelledError:
                self.cancel()
                future.add_done_callback(partial(_go_on, work))
                raise

    def _raise_for_error(self) -> None:
        status = self._core._status  # noqa: SLF001 - see ``code``
        if status.code() == _OK:
            return
        if self._core.is_locally_cancelled():
            raise asyncio.CancelledError
        raise grpc.aio.AioRpcError(
            _code(status),
            grpc.aio.Metadata(*self.initial),
            grpc.aio.Metadata(*self.trailing),
            details=status.details(),
            debug_error_string=status.debug_error_string(),
        )


def _code(status: Any) -> grpc.StatusCode:  # noqa: ANN401 - a class of grpc's core
    return _CODES.get(status.code(), grpc.StatusCode.UNKNOWN)


def _arrive(arrived: "asyncio.Future[None]", _: "asyncio.Future[Any]") -> None:
    if not arrived.done():
        arrived.set_result(None)


def _go_on(work: Coroutine[Any, None, Any], _: "asyncio.Future[Any]") -> None:
    """Go on with work that nobody waits for any more, now and whenever what it waits for is there."""
    with contextlib.suppress(Exception, asyncio.CancelledError):  # nobody wants its result either
        work.send(None).add_done_callback(partial(_go_on, work))
