"""The referrers API of a registry in memory: what refers to a digest, page by page.

Knows the distribution specification's "Listing Referrers" and what real servers do otherwise. Leaves the wire to
``fakes.registry``.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

MEDIA_TYPE = "application/vnd.oci.image.index.v1+json"


@dataclass(slots=True)
class ReferrersApi:
    """How a registry answers.

    Attributes:
        exists: whether there is an API at all; without it the answer is 404.
        filters: whether the artifact type that is asked for is looked at.
        page: most referrers in one answer; 0 for all.
        media_type: what the answer says that it is.
        body: what is answered instead; None for the list.
        link: ``Link`` header instead of the right one; None for that.
    """

    exists: bool = False
    filters: bool = True
    page: int = 0
    media_type: str = MEDIA_TYPE
    body: bytes | None = None
    link: str | None = None

    def answer(
        self, path: str, query: Mapping[str, str], contents: Iterable[tuple[str, str, bytes]]
    ) -> tuple[bytes, dict[str, str]]:
        """Return body and headers of an answer.

        Args:
            path: of the request; its last part is the subject's digest.
            query: its parameters.
            contents: digest, media type and bytes of all that the repository holds.
        """
        wanted = query.get("artifactType", "") if self.filters else ""
        found = [one for one in _referring(path.rsplit("/", 1)[1], contents) if wanted in ("", one["artifactType"])]
        first = int(query.get("from", "0"))
        after = first + (self.page or len(found) + 1)
        headers = {"Content-Type": self.media_type}
        if self.link is not None:
            headers["Link"] = self.link
        elif after < len(found):
            headers["Link"] = f'<{path}?{urlencode({**query, "from": after})}>; rel="next"'
        if wanted:
            headers["OCI-Filters-Applied"] = "artifactType"
        return (listing(found[first:after]) if self.body is None else self.body), headers


def listing(found: Iterable[Mapping[str, Any]]) -> bytes:
    """Return an index of referrers, as the API answers and as the fallback tag holds it."""
    return json.dumps({"schemaVersion": 2, "mediaType": MEDIA_TYPE, "manifests": list(found)}).encode()


def _referring(subject: str, contents: Iterable[tuple[str, str, bytes]]) -> list[dict[str, Any]]:
    found = []
    for digest, media_type, content in contents:
        try:
            manifest = json.loads(content)
            refers_to = manifest["subject"]["digest"]
        except (ValueError, KeyError, TypeError):
            continue
        if refers_to == subject:
            artifact_type = manifest.get("artifactType") or manifest["config"]["mediaType"]
            descriptor = {
                "mediaType": media_type,
                "digest": digest,
                "size": len(content),
                "artifactType": artifact_type,
            }
            found.append(descriptor | {"annotations": manifest.get("annotations", {})})
    return found
