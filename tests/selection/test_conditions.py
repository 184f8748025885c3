"""Conditions: of every trait what matches and what does not, and where each is looked for."""

import pytest
from msgspec.structs import replace

from builders import Json, asks, entry, index, node, none_of, to_bytes, without_platform
from imagefit.formats.catalog import parse
from imagefit.formats.profile import profile_of
from imagefit.model.decision import Verdict
from imagefit.model.glob import Glob
from imagefit.model.oci import Descriptor
from imagefit.model.policy import Condition, Requirement, Trait
from imagefit.model.requirement import Alternative, Check, Document, Expression, Group, HasFlag, MatchesTerm, Need, Op
from imagefit.model.truth import Truth
from imagefit.selection.conditions import Documents, Traits, meets
from imagefit.selection.match import evaluate

_NODE = node(
    flags={
        "cpu.cpuid": ["AVX2", "AVX512FP16", "SSE42"],
        "kernel.loadedmodule": ["nvidia"],
        "kernel.enabledmodule": [],
        "cpu.microarchitecture": ["zen4"],
    },
    attributes={"kernel.version": {"full": "6.1.0"}},
)


def _judged(raw: Json, *documents: Document) -> tuple[Descriptor, Verdict]:
    """Return an entry with its verdict; ``documents`` are its metadata."""
    (descriptor,) = index(raw).entries
    return descriptor, evaluate(replace(profile_of(descriptor), documents=documents), _NODE)


def _document(*sets: Json) -> Document:
    return parse(to_bytes({"compatibilities": [*sets]}))


def _rules(**features: Json) -> Document:
    """Return an NFD document that asks for elements of features; ``cpu_cpuid`` stands for ``cpu.cpuid``."""
    terms = [
        {"feature": feature.replace("_", "."), "matchExpressions": elements} for feature, elements in features.items()
    ]
    return parse(to_bytes({"compatibilities": [{"rules": [{"name": "r", "matchFeatures": terms}]}]}))


def _with_os_features(names: list[str], platform: str = "linux/amd64", **in_platform: object) -> Json:
    keys: Json = {"os.features": names, **in_platform}
    return entry("x", platform, None, **keys)


_ANNOTATED = entry("x", annotations={"org.example.mpi": "mpich", "gpu": "", "pattern*": "yes"})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        pytest.param("org.example.mpi", "mpich", True, id="name and value"),
        pytest.param("org.example.mpi", "openmpi", False, id="other value"),
        pytest.param("org.example.MPI", "mpich", False, id="other case of the name"),
        pytest.param("org.example.mpi", "MPICH", False, id="other case of the value"),
        pytest.param("org.example.mpi", "*", True, id="any value"),
        pytest.param("gpu", "*", True, id="any value, the empty one too"),
        pytest.param("gpu", "", True, id="the empty value"),
        pytest.param("org.example.mpi", "", False, id="the empty value, which it is not"),
        pytest.param("org.example.m", "*", False, id="a part of the name"),
        pytest.param("org.example.mp?", "mpi*", True, id="patterns"),
        pytest.param("org.*", "open*", False, id="a pattern of the name, not of the value"),
        pytest.param("net.*", "*", False, id="a pattern that no name matches"),
        pytest.param("*", "yes", True, id="any name with this value"),
        pytest.param("pattern*", "yes", True, id="a pattern matches its own text"),
    ],
)
def test_an_annotation_matches_by_name_and_value(name: str, value: str, expected: object) -> None:
    assert meets(asks(Trait.ANNOTATION, name, value), *_judged(_ANNOTATED)) is expected


def test_what_a_unikernel_says_of_itself_is_an_annotation_too() -> None:
    raw = _with_os_features(["CONFIG_LIBVFS=y"], "qemu/amd64")
    assert meets(asks(Trait.ANNOTATION, "CONFIG_LIBVFS", "y"), *_judged(raw))
    assert not meets(asks(Trait.ANNOTATION, "CONFIG_LIBVFS", "n"), *_judged(raw))


@pytest.mark.parametrize(
    ("platform", "name", "expected"),
    [
        pytest.param("linux/amd64/v3", "v3", True, id="the variant"),
        pytest.param("linux/amd64/v3", "v2", False, id="a lower one"),
        pytest.param("linux/amd64/V3", "v3", True, id="in capitals"),
        pytest.param("linux/amd64/v3", "V3", True, id="asked for in capitals"),
        pytest.param("linux/amd64", "v1", True, id="the default of amd64"),
        pytest.param("linux/arm64", "v8", True, id="the default of arm64"),
        pytest.param("linux/arm64", "v1", False, id="another's default"),
        pytest.param("linux/amd64/3", "v3", True, id="as a number"),
        pytest.param("linux/arm64/v8.2", "v8.*", True, id="a pattern"),
        pytest.param("linux/arm64/v9", "v8.*", False, id="a pattern that does not match"),
        pytest.param("linux/s390x", "?*", False, id="an architecture without variants"),
        pytest.param("linux/s390x", "", True, id="no variant"),
    ],
)
def test_a_variant_matches_in_its_normal_form(platform: str, name: str, expected: object) -> None:
    assert meets(asks(Trait.VARIANT, name), *_judged(entry("x", platform))) is expected


@pytest.mark.parametrize(
    ("platform", "name", "expected"),
    [
        pytest.param("linux/amd64", "linux/amd64", True, id="the platform"),
        pytest.param("linux/amd64", "linux/arm64", False, id="another"),
        pytest.param("linux/amd64/v3", "linux/amd64", False, id="without its variant"),
        pytest.param("linux/amd64/v3", "linux/amd64*", True, id="with any variant"),
        pytest.param("linux/amd64", "linux/amd64*", True, id="or none"),
        pytest.param("wasi/wasm", "*/wasm", True, id="any system"),
        pytest.param("Linux/amd64", "linux/amd64", False, id="as the index writes it"),
        pytest.param("linux/amd64", "linux/amd64/v1", False, id="a variant that the index does not write"),
    ],
)
def test_a_platform_matches_as_the_index_writes_it(platform: str, name: str, expected: object) -> None:
    assert meets(asks(Trait.PLATFORM, name), *_judged(entry("x", platform))) is expected


@pytest.mark.parametrize("trait", [Trait.PLATFORM, Trait.VARIANT, Trait.LABEL, Trait.FEATURE, Trait.TAG])
def test_an_entry_without_a_platform_and_metadata_matches_nothing_but_annotations(trait: Trait) -> None:
    judged = _judged(without_platform("x", {"a": "b"}))
    assert not meets(asks(trait, "*"), *judged)
    assert meets(asks(Trait.ANNOTATION, "*"), *judged)


_FITS = {"oci.kernel.version": ">=6", "tags": ["new", "fast"]}
_FITS_TOO = {"oci.kernel.modules": "nvidia", "tags": ["gpu"]}
_UNKNOWN = {"oci.os.glibc": ">=2", "oci.kernel.version": ">=5", "tags": ["perhaps"]}
_FAILS = {"oci.kernel.version": ">=7", "oci.cpu.features": "avx2", "tags": ["future"]}


@pytest.mark.parametrize(
    ("documents", "matching", "missing"),
    [
        pytest.param([_document(_FITS)], ["new", "fast", "n*", "f?st"], ["NEW", "ne", "gpu", "x*"], id="one set"),
        pytest.param([_document(_FITS, _FITS_TOO)], ["new", "gpu"], [], id="every set that holds, not only the best"),
        pytest.param([_document(_FITS, _FAILS)], ["new"], ["future"], id="no set that does not hold"),
        pytest.param(
            [_document(_FITS, _UNKNOWN)], ["new"], ["perhaps"], id="no set that may hold beside one that does"
        ),
        pytest.param([_document(_UNKNOWN, _FAILS)], ["perhaps"], ["future"], id="sets that may hold if none does"),
        pytest.param([_document(_FAILS)], [], ["future", "*"], id="nothing of a document that does not hold"),
        pytest.param([_document(_FITS), _document(_FITS_TOO)], ["new", "gpu"], [], id="every document"),
        pytest.param([_document(_FITS), _document(_UNKNOWN)], ["new", "perhaps"], [], id="each by its own truth"),
        pytest.param([Document("d")], [], ["*"], id="a document without sets"),
        pytest.param([], [], ["*"], id="no metadata"),
    ],
)
def test_a_tag_is_one_of_a_set_that_holds(documents: list[Document], matching: list[str], missing: list[str]) -> None:
    judged = _judged(entry("x"), *documents)
    assert [name for name in (*matching, *missing) if meets(asks(Trait.TAG, name), *judged)] == matching


def test_where_further_sets_were_not_read_those_that_fail_give_nothing() -> None:
    incomplete = replace(_document(_FAILS), incomplete=True)
    judged = _judged(entry("x"), incomplete)
    assert judged[1].truth is Truth.UNKNOWN
    assert not meets(asks(Trait.TAG, "*"), *judged)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        pytest.param("oci.kernel.version", ">=6", True, id="label and value"),
        pytest.param("oci.kernel.version", ">=7", False, id="other value"),
        pytest.param("oci.kernel.version", "*", True, id="any value"),
        pytest.param("oci.kernel.*", ">=*", True, id="patterns"),
        pytest.param("OCI.kernel.version", "*", False, id="other case"),
        pytest.param("oci.kernel", "*", False, id="a part"),
        pytest.param("oci.kernel.modules", "nvidia", True, id="of another set that holds"),
        pytest.param("platform", "linux/amd64", True, id="of the entry's own checks"),
        pytest.param("platform.features", "avx2", True, id="of the entry's own features"),
        pytest.param("platform.features", "bmi2", False, id="no own feature"),
        pytest.param("oci.os.glibc", "*", False, id="of a set that does not decide"),
    ],
)
def test_a_label_matches_by_name_and_by_what_is_asked(name: str, value: str, expected: object) -> None:
    judged = _judged(entry("x", features=["avx2"]), _document(_FITS, _FITS_TOO, _UNKNOWN))
    assert meets(asks(Trait.LABEL, name, value), *judged) is expected


def test_only_labels_that_hold_match_and_not_those_that_may() -> None:
    judged = _judged(_with_os_features(["odd"], features=["avx2"]), _document(_UNKNOWN))
    assert judged[1].truth is Truth.UNKNOWN
    assert meets(asks(Trait.LABEL, "oci.kernel.version"), *judged)
    assert not meets(asks(Trait.LABEL, "oci.os.glibc"), *judged)
    assert not meets(asks(Trait.LABEL, "os.features"), *judged)


@pytest.mark.parametrize(
    "spelling", ["avx512fp16", "AVX512FP16", "avx512_fp16", "AVX512_fp16", "avx512*", "AVX512F???"]
)
@pytest.mark.parametrize(
    ("raw", "documents"),
    [
        pytest.param(entry("x", features=["avx512_fp16"]), [], id="own feature, as Linux spells it"),
        pytest.param(entry("x", features=["AVX512FP16"]), [], id="own feature, as NFD spells it"),
        pytest.param(entry("x"), [_document({"oci.cpu.features": "sse42, avx512fp16"})], id="a label of a set"),
        pytest.param(entry("x"), [_rules(cpu_cpuid={"AVX512FP16": {"op": "Exists"}})], id="Exists of NFD"),
        pytest.param(entry("x"), [_rules(cpu_cpuid={"AVX512FP16": {}})], id="no operator of NFD"),
    ],
)
def test_a_feature_matches_in_whatever_spelling(raw: Json, documents: list[Document], spelling: str) -> None:
    assert meets(asks(Trait.FEATURE, spelling), *_judged(raw, *documents))


def test_a_pattern_matches_the_spelling_of_the_author() -> None:
    assert meets(asks(Trait.FEATURE, "avx512_*"), *_judged(entry("x", features=["avx512_fp16"])))
    assert not meets(asks(Trait.FEATURE, "avx512_*"), *_judged(entry("x", features=["AVX512FP16"])))


@pytest.mark.parametrize(
    ("raw", "documents", "name", "expected"),
    [
        pytest.param(entry("x", features=["avx2"]), [], "avx", False, id="a part"),
        pytest.param(entry("x", features=["bmi2"]), [], "bmi2", False, id="one that the node lacks"),
        pytest.param(entry("x"), [_document(_FITS_TOO)], "nvidia", True, id="a kernel module"),
        pytest.param(entry("x"), [_document(_FITS_TOO)], "oci.kernel.modules", False, id="not the label"),
        pytest.param(entry("x"), [_document({"oci.kernel.modules.nvidia": "true"})], "true", False, id="not the value"),
        pytest.param(
            entry("x"), [_document({"oci.kernel.modules.nouveau": "false"})], "nouveau", False, id="a flag not wanted"
        ),
        pytest.param(entry("x"), [_document({"oci.cpu.microarchitecture": "zen4"})], "zen4", True, id="a target"),
        pytest.param(entry("x"), [_document(_FAILS)], "avx2", False, id="of a set that does not hold"),
        pytest.param(entry("x"), [_rules(cpu_cpuid={"AVX2": {"op": "Exists"}})], "sse42", False, id="another of NFD"),
        pytest.param(
            entry("x"),
            [_rules(cpu_cpuid={"BMI2": {"op": "DoesNotExist"}})],
            "bmi2",
            False,
            id="one that must be absent",
        ),
        pytest.param(entry("x"), [_document(_FITS)], "*", False, id="a set that asks for none"),
        pytest.param(_with_os_features(["win32k"]), [], "WIN32K", True, id="of the operating system"),
        pytest.param(_with_os_features(["win32k"]), [], "hyperv", False, id="another of those"),
    ],
)
def test_a_feature_is_a_flag_that_is_asked_for_and_there(
    raw: Json, documents: list[Document], name: str, expected: object
) -> None:
    assert meets(asks(Trait.FEATURE, name), *_judged(raw, *documents)) is expected


def _flag(name: str) -> Check:
    return Check("flags", name, HasFlag(("cpu.cpuid",), (name,)))


_HELD, _HELD_TOO, _LACKED = _flag("AVX2"), _flag("SSE42"), _flag("BMI2")


@pytest.mark.parametrize(
    ("needs", "expected"),
    [
        pytest.param([_HELD, _HELD_TOO], {"AVX2", "SSE42"}, id="checks"),
        pytest.param([Group(any_of=False, members=(_HELD, _HELD_TOO))], {"AVX2", "SSE42"}, id="all of"),
        pytest.param([Group(any_of=True, members=(_HELD, _LACKED))], {"AVX2"}, id="any of, the one that holds"),
        pytest.param([Group(any_of=True, members=(_HELD, _HELD_TOO))], {"AVX2", "SSE42"}, id="any of, both hold"),
        pytest.param(
            [Group(any_of=True, members=(Group(any_of=False, members=(_HELD, _LACKED)), _HELD_TOO))],
            {"SSE42"},
            id="any of, nothing of a branch that fails",
        ),
        pytest.param([none_of([_LACKED])], set(), id="none of"),
    ],
)
def test_inside_groups_that_counts_which_the_group_rests_on(needs: list[Need], expected: set[str]) -> None:
    judged = _judged(entry("x"), Document("d", (Alternative(tuple(needs)),)))
    assert judged[1].truth is Truth.YES
    names = ("AVX2", "SSE42", "BMI2")
    assert {name for name in names if meets(asks(Trait.FEATURE, name), *judged)} == expected
    labels = {name for name in names if meets(asks(Trait.LABEL, "flags", f"*{name}"), *judged)}
    assert labels == (expected or {"BMI2"})


def test_a_term_of_nfd_without_elements_names_no_flag() -> None:
    term = Check("cpu.cpuid", "known", MatchesTerm("cpu.cpuid", None, Expression(Op.IN, ("AVX2",))))
    judged = _judged(entry("x"), Document("d", (Alternative((term,)),)))
    assert judged[1].truth is Truth.YES
    assert not meets(asks(Trait.FEATURE, "*"), *judged)


def _all(*conditions: tuple[Trait, str]) -> Requirement:
    return Requirement(tuple(Condition(trait, Glob(name)) for trait, name in conditions))


@pytest.mark.parametrize(
    ("requirement", "expected"),
    [
        pytest.param(_all((Trait.TAG, "new"), (Trait.VARIANT, "v1")), True, id="both"),
        pytest.param(_all((Trait.TAG, "new"), (Trait.VARIANT, "v3")), False, id="only the first"),
        pytest.param(_all((Trait.TAG, "old"), (Trait.VARIANT, "v1")), False, id="only the second"),
    ],
)
def test_all_conditions_of_a_requirement_must_hold(requirement: Requirement, expected: object) -> None:
    assert meets(requirement, *_judged(entry("x"), _document(_FITS))) is expected


@pytest.mark.parametrize(
    ("requirement", "expected"),
    [
        *(pytest.param(asks(trait, "z"), True, id=trait) for trait in (Trait.LABEL, Trait.TAG, Trait.FEATURE)),
        *(
            pytest.param(asks(trait, "z"), False, id=trait)
            for trait in (Trait.ANNOTATION, Trait.VARIANT, Trait.PLATFORM)
        ),
        pytest.param(_all((Trait.VARIANT, "v1"), (Trait.TAG, "z")), True, id="one holds, one may"),
        pytest.param(_all((Trait.VARIANT, "v3"), (Trait.TAG, "z")), False, id="one does not, one may"),
    ],
)
def test_metadata_that_has_not_been_read_may_bring_labels_tags_and_features_only(
    requirement: Requirement, expected: object
) -> None:
    assert Traits(*_judged(entry("x"))).may_meet(requirement) is expected


def test_what_holds_of_a_document_is_found_out_once_for_all_entries_that_share_it() -> None:
    pulses: list[int] = []
    documents = Documents(lambda: pulses.append(1))
    judged = _judged(entry("x"), _document(_FITS))
    spent = []
    for _ in range(3):
        before = len(pulses)
        assert Traits(*judged, documents).meets(asks(Trait.TAG, "new"))
        spent.append(len(pulses) - before)
    assert spent == [2, 1, 1]


def test_long_work_on_conditions_ends_with_what_its_pulse_raises() -> None:
    def over() -> None:
        raise TimeoutError

    judged = _judged(entry("x"))
    for ask in (Traits(*judged, Documents(over)).meets, Traits(*judged, Documents(over)).may_meet):
        with pytest.raises(TimeoutError):
            ask(asks(Trait.PLATFORM, "x"))
