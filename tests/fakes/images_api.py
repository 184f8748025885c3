"""containerd's Images API and image calls in memory, for faults that the real one cannot be brought to have.

It obeys the same contract test as the real containerd (``tests/cri/test_images_contract.py``).
"""

from collections import Counter
from typing import Any, Protocol

import grpc

from fakes.containerd import Behaviour
from imagefit.cri import messages_pb2 as messages
from imagefit.cri.methods import IMAGES_SERVICE
from imagefit.cri.wire import MANAGED_LABEL

SERVICE = "/runtime.v1.ImageService/"


class Server(Protocol):
    """What answers calls: methods by their names."""

    unary: dict[str, Behaviour]


class FakeContainerd:
    """Records by name, and image IDs by the digest that a record points at.

    Attributes:
        records: name → record.
        image_ids: digest of a manifest → image ID; a pull of a digest that is not here is NOT_FOUND.
        hidden: names that ImageStatus does not show although they have records, as while events are late.
        forgotten: names that ImageStatus does not show until their records are written, as where CRI missed them.
        remembered: records by name that ImageStatus still shows, as while events of removals are late.
        pulling: how many pulls of a name are between their first write and their last.
        collected: digests whose content is gone since no record stood for it any more.
        refusing: method names (``Create``, ``ImageStatus``, …) that answer ``refusal``.
        refusal: UNAVAILABLE, as a containerd that goes away.
        between_writes: waited for by each pull after its first write.
        before_reply: called with a method's name before it replies; may raise or wait.
    """

    def __init__(self, backend: Server) -> None:
        self.records: dict[str, messages.Image] = {}
        self.image_ids: dict[str, str] = {}
        self.hidden: set[str] = set()
        self.forgotten: set[str] = set()
        self.remembered: dict[str, messages.Image] = {}
        self.pulling: Counter[str] = Counter()
        self.collected: set[str] = set()
        self.refusing: set[str] = set()
        self.refusal = grpc.StatusCode.UNAVAILABLE
        self.between_writes: Any = None
        self.calls: list[str] = []
        self.pulled: list[str] = []
        self.before_reply: Any = None
        for method in ("Get", "Create", "Update", "Delete"):
            backend.unary[IMAGES_SERVICE + method] = self._answering(method)
        for method in ("PullImage", "ImageStatus", "RemoveImage"):
            backend.unary[SERVICE + method] = self._answering(method)

    def names(self) -> dict[str, str]:
        """Return name → digest of every record but those that containerd keeps under image IDs."""
        return {name: image.target.digest for name, image in self.records.items() if "/" in name}

    def _answering(self, method: str) -> Any:
        async def answer(request: bytes, context: Any) -> bytes:
            self.calls.append(method)
            if method in self.refusing:
                await context.abort(self.refusal, f"{method} is refused")
            if self.before_reply is not None:
                await self.before_reply(method)
            reply: bytes = await getattr(self, f"_{method.lower()}")(request, context)
            return reply

        return answer

    async def _get(self, request: bytes, context: Any) -> bytes:
        name = messages.GetImageRequest.FromString(request).name
        if name not in self.records:
            await context.abort(grpc.StatusCode.NOT_FOUND, f'image "{name}": not found')
        return messages.GetImageResponse(image=self.records[name]).SerializeToString()

    async def _create(self, request: bytes, context: Any) -> bytes:
        image = messages.CreateImageRequest.FromString(request).image
        if image.name in self.records:
            await context.abort(grpc.StatusCode.ALREADY_EXISTS, f'image "{image.name}": already exists')
        self.records[image.name] = image
        self.forgotten.discard(image.name)
        return messages.GetImageResponse(image=image).SerializeToString()

    async def _update(self, request: bytes, context: Any) -> bytes:
        update = messages.UpdateImageRequest.FromString(request)
        name = update.image.name
        if name not in self.records:
            await context.abort(grpc.StatusCode.NOT_FOUND, f'image "{name}": not found')
        self.forgotten.discard(name)
        if update.update_mask.paths:
            self.records[name].target.CopyFrom(update.image.target)
            self.records[name].labels.update(update.image.labels)
        else:
            self.records[name] = update.image
        return messages.GetImageResponse(image=self.records[name]).SerializeToString()

    async def _delete(self, request: bytes, context: Any) -> bytes:
        name = messages.DeleteImageRequest.FromString(request).name
        if self.records.pop(name, None) is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, f'image "{name}": not found')
        self._collect()
        return b""

    async def _pullimage(self, request: bytes, context: Any) -> bytes:
        name = messages.PullImageRequest.FromString(request).image.image.decode()
        digest = name.partition("@")[2]
        if digest not in self.image_ids:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"{name}: not found")
        self.pulled.append(name)
        target = messages.Descriptor(media_type="application/x", digest=digest, size=7)
        self.collected.discard(digest)
        labels = dict([MANAGED_LABEL])
        self.records.setdefault(name, messages.Image(name=name, labels=labels, target=target))
        if self.between_writes is not None:
            self.pulling[name] += 1
            await self.between_writes()
            self.pulling[name] -= 1
            if name not in self.records:
                await context.abort(grpc.StatusCode.NOT_FOUND, f'update image "{name}": not found')
        for one in (self.image_ids[digest], name):
            self.records[one] = messages.Image(name=one, labels=labels, target=target)
        return messages.PullImageResponse(image_ref=self.image_ids[digest]).SerializeToString()

    async def _removeimage(self, request: bytes, context: Any) -> bytes:
        name = messages.ImageStatusRequest.FromString(request).image.image.decode()  # the same fields
        record = self.records.get(name)
        if record is not None:
            image_id = self._id(record)
            self.records = {name: one for name, one in self.records.items() if self._id(one) != image_id}
            self._collect()
        return b""

    def _id(self, record: messages.Image) -> str:
        digest = record.target.digest
        return self.image_ids.get(digest, "") if digest not in self.collected else ""

    def _collect(self) -> None:
        kept = {record.target.digest for record in self.records.values()}
        self.collected |= self.image_ids.keys() - kept

    async def _imagestatus(self, request: bytes, context: Any) -> bytes:
        name = messages.ImageStatusRequest.FromString(request).image.image.decode()
        record = self.records.get(name) or self.remembered.get(name)
        reply = messages.ImageStatusResponse()
        if record is not None and name not in self.hidden | self.forgotten:
            reply.image.id = self._id(record)
        return reply.SerializeToString()
