"""Whatever is read: a value or an error with a name, and what was written reads back."""

import json
import random
from contextlib import suppress
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from builders import index_bytes, to_bytes
from imagefit.errors import ImagefitError
from imagefit.formats.carriers import carried_by, follow
from imagefit.formats.catalog import parse, read
from imagefit.formats.contract import Fragment, Locator
from imagefit.formats.dialects.features import parse_features
from imagefit.formats.node_profile import format_profile, parse_profile
from imagefit.formats.syntax import load
from imagefit.formats.vocabulary import checks_of_label
from imagefit.model.facts import Facts, Node
from imagefit.model.oci import ImageIndex, parse_index, parse_manifest
from imagefit.model.ranges import parse_ranges, parse_version
from imagefit.model.reference import ImageReference, parse_reference
from imagefit.model.requirement import Document

settings.register_profile("core", derandomize=True, deadline=None, max_examples=150, database=None)
settings.load_profile("core")

_DIGEST = "sha256:" + "a" * 64
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
_JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=10
)
_LABELS = st.sampled_from(
    [
        "tags",
        "description",
        "compatibility-score",
        "oci.compatibility-score",
        "oci.cpu.features",
        "oci.cpu.microarchitecture",
        "oci.cpu.vendor",
        "oci.kernel.cmdline.x",
        "oci.kernel.configurations",
        "oci.kernel.modules",
        "oci.kernel.modules.x",
        "oci.kernel.selinux",
        "oci.kernel.version",
        "oci.os.glibc",
        "oci.pci.devices",
        "x",
    ]
)
_RANGE_TEXT = st.text(alphabet="0123456789.,-+~_v<>=[]()| x\n\u0663", max_size=30)
_SETS = st.lists(st.dictionaries(_LABELS | st.text(), _JSON | _RANGE_TEXT, max_size=4), max_size=3)
_CONTENT = st.binary() | st.text().map(str.encode) | _JSON.map(to_bytes) | _SETS.map(to_bytes)
_NAME_TEXT = st.text(alphabet="abzAZ059./:@-_[]% \né", max_size=40)
_WORD = st.from_regex(r"[a-z0-9]{1,8}((\.|_|__|-{1,3})[a-z0-9]{1,8}){0,2}", fullmatch=True)
_DOMAIN = st.from_regex(
    r"([a-zA-Z0-9]{1,8}(\.[a-zA-Z0-9]{1,8}){1,2}|localhost|\[::[0-9a-f:]{0,10}\])(:[0-9]{1,5})?", fullmatch=True
)
_TAG = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)


@given(st.text() | _NAME_TEXT)
@example("nginx\n")
@example("a" * 64)
def test_any_text_is_a_reference_or_a_named_error(text: str) -> None:
    try:
        reference = parse_reference(text)
    except ImagefitError:
        return
    assert bool(reference.tag) != bool(reference.digest)
    assert parse_reference(str(reference)) == reference


@given(_DOMAIN, st.lists(_WORD, min_size=1, max_size=3), _TAG, st.booleans())
def test_a_reference_reads_back(domain: str, path: list[str], tag: str, by_digest: object) -> None:
    end = f":{tag}@{_DIGEST}" if by_digest else f":{tag}"
    reference = parse_reference(f"{domain}/{'/'.join(path)}{end}")
    assert isinstance(reference, ImageReference)
    assert parse_reference(str(reference)) == reference
    assert reference.target == (_DIGEST if by_digest else tag)


@given(_CONTENT)
def test_any_bytes_are_an_index_or_a_named_error(content: bytes) -> None:
    for read_it in (lambda found: parse_index(found, _DIGEST), parse_manifest, parse_profile):
        with suppress(ImagefitError):
            read_it(content)


@given(st.dictionaries(st.sampled_from(["digest", "size", "platform", "annotations", "data", "mediaType"]), _JSON))
def test_any_entry_makes_an_index_or_a_named_error(entry: dict[str, Any]) -> None:
    try:
        found = parse_index(to_bytes({"manifests": [{"digest": _DIGEST} | entry]}), _DIGEST)
    except ImagefitError:
        return
    assert isinstance(found, ImageIndex)


@given(_CONTENT)
def test_any_bytes_are_a_document(content: bytes) -> None:
    assert isinstance(read(Fragment(content, "x")), Document)
    for read_it in (load, parse, parse_features):
        with suppress(ImagefitError):
            read_it(content)


@given(_JSON, _JSON)
def test_anything_below_a_platform_is_a_piece_a_locator_or_a_problem(one: object, other: object) -> None:
    keys = {"compatibilities": one, "compat": other}
    found = parse_index(index_bytes({"digest": _DIGEST, "platform": {"os": "linux", "architecture": "x"} | keys}), "x")
    given_keys = [value for value in keys.values() if value is not None]
    assert len(carried_by(found.entries[0].platform)) == len(given_keys)


@given(st.sampled_from(["manifest", "config", "document"]), _CONTENT)
def test_any_fetched_bytes_lead_somewhere(kind: Any, content: bytes) -> None:
    assert follow(Locator(_DIGEST, 0, kind, "x"), content) is not None


@given(_RANGE_TEXT | st.text())
def test_any_text_is_a_range_or_a_named_error(text: str) -> None:
    try:
        ranges = parse_ranges(text)
    except ImagefitError:
        return
    assert ranges.alternatives
    assert all(ranges.alternatives)


@given(_LABELS | st.text(), _RANGE_TEXT | st.text())
def test_any_label_and_value_are_checks_or_a_named_error(label: str, value: str) -> None:
    try:
        checks = checks_of_label(label, value)
    except ImagefitError:
        return
    assert checks
    assert {check.label for check in checks} == {label}


@given(st.lists(st.integers(0, 99), min_size=1, max_size=4), st.lists(st.integers(0, 99), min_size=1, max_size=4))
def test_comparators_order_versions_as_lists_of_numbers(have: list[int], asked: list[int]) -> None:
    version = parse_version(".".join(map(str, have)))
    assert version is not None
    length = max(len(have), len(asked))
    mine, theirs = (numbers + [0] * (length - len(numbers)) for numbers in (have, asked))
    end = ".".join(map(str, asked))
    answers = [parse_ranges(f"{operator}{end}").holds(version) for operator in ("<", "<=", "=", ">=", ">")]
    assert answers == [mine < theirs, mine <= theirs, mine == theirs, mine >= theirs, mine > theirs]


_ELEMENTS = st.dictionaries(st.text(), st.text(), max_size=3)
_NODES = st.builds(
    Node,
    st.text(),
    st.text(),
    st.text(),
    st.builds(
        Facts,
        st.dictionaries(st.text(), st.frozensets(st.text(), max_size=3), max_size=3),
        st.dictionaries(st.text(), _ELEMENTS, max_size=3),
        st.dictionaries(st.text(), st.lists(_ELEMENTS, max_size=3).map(tuple), max_size=3),
    ),
)


@given(_NODES)
def test_a_written_profile_reads_back(node: Node) -> None:
    assert parse_profile(format_profile(node)) == node


def _shuffled(value: Any, order: random.Random) -> Any:
    """Return the same JSON value with the keys of its objects in another order."""
    if isinstance(value, dict):
        keys = list(value)
        order.shuffle(keys)
        return {key: _shuffled(value[key], order) for key in keys}
    return [_shuffled(one, order) for one in value] if isinstance(value, list) else value


@given(_NODES, st.randoms(use_true_random=False))
def test_the_order_of_keys_of_a_profile_never_matters(node: Node, order: random.Random) -> None:
    shuffled = to_bytes(_shuffled(json.loads(format_profile(node)), order))
    assert parse_profile(shuffled) == node
