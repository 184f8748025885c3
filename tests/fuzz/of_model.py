"""Targets: names, indexes, ranges, patterns, and the documents of every dialect."""

import json
from collections.abc import Callable, Iterator
from typing import Final, get_args

from fuzz.contract import Target, parts_of, text_of
from imagefit.config.names import can_be_a_name, what_was_meant
from imagefit.errors import InvalidDocumentError, InvalidIndexError, InvalidProfileError, InvalidReferenceError
from imagefit.formats.carriers import carried_by, follow
from imagefit.formats.catalog import DIALECTS, parse, read
from imagefit.formats.contract import Dialect, Fragment, Locator
from imagefit.formats.dialects.features import parse_features
from imagefit.formats.nfd_labels import needs_of_nfd_label
from imagefit.formats.node_profile import format_profile, parse_profile
from imagefit.formats.syntax import Tree, load
from imagefit.formats.vocabulary import checks_of_label
from imagefit.library import choose, evaluate
from imagefit.model.facts import Facts, Node
from imagefit.model.glob import Glob
from imagefit.model.oci import MAX_DOCUMENT_BYTES, parse_index, parse_manifest
from imagefit.model.ranges import is_exact, is_range, parse_ranges, parse_version
from imagefit.model.reference import parse_reference
from imagefit.model.regexp import check_pattern, matches_any
from imagefit.selection.explain import printable

_DIGEST: Final = "sha256:" + "a" * 64
_KINDS: Final = get_args(Locator.__annotations__["kind"])
_NODE: Final = Node(
    "linux",
    "amd64",
    "v3",
    Facts(
        {"cpu.cpuid": frozenset({"AVX2", "SSE4"}), "kernel.loadedmodule": frozenset({"nvidia"})},
        {
            "kernel.version": {"full": "6.1.0-18-amd64", "major": "6", "minor": "1", "revision": "0"},
            "kernel.config": {"IO_URING": "y", "HZ": "250"},
            "system.libc": {"glibc": "2.36"},
            "operator.fact": {"org.example.mpi": "4.1"},
        },
        {"pci.device": ({"vendor": "10de", "device": "2336", "class": "0302"},), "network.device": ()},
    ),
)
_JSON: Final = (b'{"', b'":', b"[{", b"}]", b"null", b"true", b"\\ud800", b'"\\u0000"', b"1e9", b"-0")
_YAML: Final = (b"- ", b": ", b"&a ", b"*a", b"!!str ", b"%YAML 1.2\n", b"<<: ", b"? ", b"|\n", b">-\n", b"---\n")
_OF_INDEXES: Final = (
    *_JSON,
    *(b'"manifests"', b'"digest"', b'"platform"', b'"compatibilities"', b'"compat"', b'"features"', b'"variant"'),
    *(b'"annotations"', b'"mediaType"', b'"size"', b'"data"', b'"artifactType"', b'"os.features"'),
    *(b"application/vnd.oci.image.index.v1+json", b"application/vnd.oci.image.manifest.v1+json", _DIGEST.encode()),
)
_OF_DOCUMENTS: Final = (
    *_JSON,
    *_YAML,
    *(b"compatibilities", b"rules", b"matchFeatures", b"matchExpressions", b"matchName", b"matchAny", b"feature"),
    *(b"rule.matched", b"InRegexp", b"DoesNotExist", b"GtLt", b"Ge", b"version", b"labels", b"vars", b"spec"),
    *(b"relations", b"graphs", b"edges", b"allOf", b"oneOf", b"noneOf", b"validationCriteria", b"attributes"),
    *(b"oci.kernel.version", b"oci.cpu.features", b"oci.pci.devices", b"compatibility-score", b"tags", b"weight"),
)
_OF_RANGES: Final = (b">=", b"<=", b"||", b"[4.19, 5.16)", b"(,", b",)", b"v1.", b"-427.el9", b"==", b"~")


def _reference(content: bytes) -> None:
    reference = parse_reference(text_of(content))
    assert bool(reference.tag) != bool(reference.digest)
    assert parse_reference(str(reference)) == reference


def _index(content: bytes) -> None:
    index = parse_index(content, _DIGEST)
    for entry in index.entries:
        carried_by(entry.platform)
        dict(entry.stated)
    # Whatever can be read as an index can be chosen from.
    choose(content, _NODE)


def _fetched(content: bytes) -> None:
    kind, rest = _KINDS[content[0] % len(_KINDS)] if content else _KINDS[0], content[1:]
    assert isinstance(follow(Locator(_DIGEST, 0, kind, "x"), rest), tuple)


def _dialect(dialect: Dialect) -> Callable[[bytes], None]:
    def parse_one(content: bytes) -> None:
        tree: Tree = load(content)
        if (not isinstance(tree, list) or dialect.has_lists) and dialect.claims(tree):
            assert dialect.parse(tree).dialect == dialect.name

    return parse_one


def _document(content: bytes) -> None:
    assert read(Fragment(content, "x", "name")).dialect is not None
    verdict = evaluate(parse(content), _NODE)
    for problem in verdict.document.problems:
        printable(str(problem))


def _ranges(content: bytes) -> None:
    text, versions = map(text_of, parts_of(content, 2))
    version = parse_version(versions)
    is_range(text), is_exact(text)
    ranges = parse_ranges(text)
    assert version is None or ranges.holds(version) in {True, False}


def _label(content: bytes) -> None:
    label, value = map(text_of, parts_of(content, 2))
    assert needs_of_nfd_label(label, value)
    assert {check.label for check in checks_of_label(label, value)} == {label}


def _regexp(content: bytes) -> None:
    pattern, text = map(text_of, parts_of(content, 2))
    check_pattern(pattern)
    matches_any([pattern], text)


def _glob(content: bytes) -> None:
    pattern, text = map(text_of, parts_of(content, 2))
    glob = Glob(pattern)
    assert glob.matches(pattern) or glob.is_exact is False
    assert glob.matches(text) == (pattern == text) if glob.is_exact else glob.matches(text) in {True, False}


def _name_pattern(content: bytes) -> None:
    meant = what_was_meant(text_of(content))
    assert not meant or can_be_a_name(meant)


def _profile(content: bytes) -> None:
    node = parse_profile(content)
    assert parse_profile(format_profile(node)) == node


def _tree(content: bytes) -> None:
    json.dumps(load(content)).encode()


def targets() -> Iterator[Target]:
    """Yield the targets."""
    yield Target("reference", _reference, (InvalidReferenceError,), (b"@sha256:", b"[::1]:", b"__", b"--"), 4096)
    yield Target("index", _index, (InvalidIndexError,), _OF_INDEXES, MAX_DOCUMENT_BYTES)
    yield Target("manifest", parse_manifest, (InvalidDocumentError,), _OF_INDEXES, MAX_DOCUMENT_BYTES)
    yield Target("fetched", _fetched, (), _OF_INDEXES, MAX_DOCUMENT_BYTES)
    yield Target("tree", _tree, (InvalidDocumentError,), (*_JSON, *_YAML), MAX_DOCUMENT_BYTES)
    yield Target("document", _document, (InvalidDocumentError,), _OF_DOCUMENTS, MAX_DOCUMENT_BYTES)
    for dialect in DIALECTS:
        name = f"document-{dialect.name}"
        yield Target(name, _dialect(dialect), (InvalidDocumentError,), _OF_DOCUMENTS, MAX_DOCUMENT_BYTES)
    yield Target("features", parse_features, (InvalidDocumentError,), _JSON, MAX_DOCUMENT_BYTES)
    yield Target("ranges", _ranges, (InvalidDocumentError,), _OF_RANGES, 16 * 1024)
    yield Target("label", _label, (InvalidDocumentError,), _OF_RANGES, 16 * 1024)
    yield Target("regexp", _regexp, (InvalidDocumentError,), (b"(?i)", b"{1000}", b"\\pL", b"[[:alpha:]]"), 4096)
    yield Target("glob", _glob, (), (b"*", b"?", b"[::1]"), 512)
    yield Target("name-pattern", _name_pattern, (), (b"docker.io/", b"https://", b"*"), 256)
    yield Target(
        "node-profile",
        _profile,
        (InvalidProfileError,),
        (*_JSON, *_YAML, b"NodeFeature", b'"instances"', b'"elements"', b'"unseen"', b"system.libc"),
        MAX_DOCUMENT_BYTES,
    )
