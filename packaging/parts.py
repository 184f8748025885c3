"""``make sbom``: writes ``dist/imagefit.cdx.json``, which names every part of a release in CycloneDX's form.

Knows that versions and hashes come of the lock, and licences of what the packages say of themselves. Leaves the form to
cyclonedx-python-lib. Source: CycloneDX 1.6; PEP 639 for licences.
"""

import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.utils import canonicalize_name

from bundle import DIST, LOCK, VERSION, build, epoch, make_bundle

_PINNED: Final = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)", re.MULTILINE)
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_CLASSIFIER: Final = "License :: "
_LONGEST_NAME: Final = 80
"""A licence field that is longer holds the text and no name."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """One locked package: its name as PyPI compares names, its version, and the SHA-256 of each of its files."""

    name: str
    version: str
    hashes: tuple[str, ...]


def locked(text: str) -> Iterator[Pinned]:
    """Yield the packages of a lock in their order."""
    found = list(_PINNED.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    for match, end in zip(found, ends, strict=True):
        hashes = tuple(_HASH.findall(text[match.end() : end]))
        yield Pinned(canonicalize_name(match["name"]), match["version"], hashes)


def metadata_of(bundle: Path) -> Mapping[str, Message]:
    """Return what each installed package says of itself, by its name as PyPI compares names."""
    told = (HeaderParser().parsestr(path.read_text()) for path in bundle.glob("*.dist-info/METADATA"))
    return {canonicalize_name(one["Name"]): one for one in told}


def parts(lock: str, bundle: Path) -> str:
    """Return the list as JSON; the same release gives the same text.

    Args:
        lock: its text.
        bundle: made of it.

    Raises:
        KeyError: a locked package is not in the bundle.
    """
    installed = metadata_of(bundle)
    bom = Bom()
    bom.metadata.timestamp = datetime.fromtimestamp(epoch(), UTC)
    bom.serial_number = uuid5(NAMESPACE_URL, f"imagefit {VERSION} {lock}")
    bom.metadata.component = _component("imagefit", VERSION, installed["imagefit"], ComponentType.APPLICATION)
    pinned = list(locked(lock))
    for one in pinned:
        component = _component(one.name, one.version, installed[one.name], ComponentType.LIBRARY)
        component.external_references.add(
            ExternalReference(
                type=ExternalReferenceType.DISTRIBUTION,
                url=XsUri(f"https://pypi.org/project/{one.name}/{one.version}/#files"),
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=value) for value in one.hashes],
            )
        )
        bom.components.add(component)
    bom.register_dependency(bom.metadata.component, bom.components)
    return f"{JsonV1Dot6(bom).output_as_string(indent=2)}\n"


def _component(name: str, version: str, said: Message, kind: ComponentType) -> Component:
    return Component(
        name=name,
        version=version,
        type=kind,
        bom_ref=f"{name}@{version}",
        purl=PackageURL("pypi", None, name, version),
        licenses=[_licence(said)],
    )


def _licence(said: Message) -> License:
    """Return the licence that a package names: as an expression, in a field, or as a classifier."""
    factory = LicenseFactory()
    if expression := said["License-Expression"]:
        return factory.make_from_string(expression)
    field = said["License"] or ""
    if field and len(field) <= _LONGEST_NAME and "\n" not in field:
        return factory.make_from_string(field)
    classifiers = [value for value in said.get_all("Classifier", []) if value.startswith(_CLASSIFIER)]
    return factory.make_with_name("; ".join(value.rpartition(" :: ")[2] for value in classifiers) or "not named")


def main() -> None:
    """Write the list and name its file."""
    with tempfile.TemporaryDirectory(prefix="imagefit-parts-") as temporary:
        (wheel,) = build(Path(temporary), "wheel")
        make_bundle(Path(temporary) / "bundle", wheel)
        DIST.mkdir(exist_ok=True)
        path = DIST / "imagefit.cdx.json"
        path.write_text(parts(LOCK.read_text(), Path(temporary) / "bundle"))
        print(path)


if __name__ == "__main__":
    main()
