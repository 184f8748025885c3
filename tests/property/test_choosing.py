"""What holds of every choice, whatever the index and whatever the node."""

import json
import random
from functools import partial
from typing import Any, Final

import msgspec.structs
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import (
    DOCUMENT_MEDIA_TYPE,
    MANIFEST_MEDIA_TYPE,
    Json,
    decide,
    descriptor,
    digest,
    entry,
    facts,
    index,
    index_bytes,
    manifest_of,
    node,
    rank,
    supply_all,
    to_bytes,
    without_platform,
)
from imagefit.formats.vocabulary import checks_of_label
from imagefit.model.decision import Decision
from imagefit.model.facts import Facts, Node
from imagefit.model.glob import ANYTHING, Glob
from imagefit.model.oci import parse_index
from imagefit.model.policy import (
    FORBID_TAG,
    MODE,
    ORDER,
    POD_ANNOTATIONS,
    PREFER_TAG,
    Condition,
    Criterion,
    Mode,
    Policies,
    Policy,
    Preference,
    Pull,
    Requirement,
    Trait,
    Unknown,
)
from imagefit.model.truth import Truth
from imagefit.selection.explain import MAX_REFUSAL_BYTES, as_data, refusal
from imagefit.selection.gathering import MAX_FETCHES
from imagefit.selection.match import judge
from imagefit.selection.rank import advantages
from imagefit.selection.session import Selection

settings.register_profile("core", derandomize=True, deadline=None, max_examples=100, database=None)
settings.load_profile("core")

# A small world, so that questions and facts meet often.
_FLAGS: Final[dict[str, tuple[str, ...]]] = {
    "cpu.cpuid": ("AVX2", "AVX512F", "SHA"),
    "cpu.microarchitecture": ("zen2", "zen4"),
    "kernel.loadedmodule": ("a", "b"),
    "kernel.enabledmodule": ("a", "b"),
}
_ATTRIBUTES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "kernel.version": {"full": ("5.14.0-427.el9", "6.1.0", "new")},
    "kernel.config": {"A": ("y", "m", "n"), "B": ("y", "7")},
    "local.feature": {"x": ("1", "1.5", "word"), "y": ("true", "a,b")},
    "local.label": {"x": ("1", "2"), "y": ("false", "a")},
}
_DEVICES: Final = ({"vendor": "10de", "device": "2336"}, {"vendor": "15b3", "device": "101b"}, {"vendor": "10de"})
_LABELS: Final[dict[str, tuple[str, ...]]] = {
    "oci.cpu.features": ("avx2", "avx512f, sha_ni"),
    "oci.cpu.microarchitecture": ("zen2", "zen4"),
    "oci.kernel.version": (">=5.14.0-400", ">=6", "<5 || [5.14,6)"),
    "oci.kernel.configurations": ("A", "B=7", "A,B"),
    "oci.kernel.modules": ("a", "a,b"),
    "oci.pci.devices": ("10de.2336", "15B3.101b"),
    "x": ("1", ">=1", "[2,3]"),
    "y": ("true", "a,"),
}
# Checks that a fact makes fail: they hold where a detector looked and found nothing.
_ABSENCES: Final[dict[str, tuple[str, ...]]] = {
    "oci.kernel.configurations": ("A=n", "B=n"),
    "oci.kernel.modules.a": ("false",),
}

_FACTS = st.builds(
    facts,
    st.fixed_dictionaries({}, optional={name: st.sets(st.sampled_from(flags)) for name, flags in _FLAGS.items()}),
    st.fixed_dictionaries(
        {},
        optional={
            name: st.fixed_dictionaries({}, optional={key: st.sampled_from(some) for key, some in elements.items()})
            for name, elements in _ATTRIBUTES.items()
        },
    ),
    st.fixed_dictionaries({}, optional={"pci.device": st.lists(st.sampled_from(_DEVICES), max_size=2)}),
)
_PLATFORMS = st.sampled_from(
    [
        "linux/amd64",
        "linux/amd64/v2",
        "linux/amd64/v3",
        "linux/amd64/v4",
        "linux/arm64",
        "linux/arm/v7",
        "unknown/unknown",
    ]
)
_NODES = st.builds(
    lambda platform, known: msgspec.structs.replace(node(platform), facts=known),
    st.sampled_from(["linux/amd64", "linux/amd64/v3", "linux/arm64/v8.2", "linux/s390x"]),
    _FACTS,
)


def _one_label(table: dict[str, tuple[str, ...]]) -> st.SearchStrategy[tuple[str, str]]:
    return st.sampled_from([(label, value) for label, values in table.items() for value in values])


_SET = st.fixed_dictionaries(
    {},
    optional={label: st.sampled_from(values) for label, values in _LABELS.items()}
    | {
        "compatibility-score": st.integers(-3, 3),
        "tags": st.sampled_from(["mpi", "gpu", "mpi,gpu"]),
        "broken": st.none(),
    },
)
_SETS = st.lists(_SET, max_size=3)


World = tuple[list[Json], dict[str, bytes]]
"""The entries of an index, and the blobs that their descriptors lead to."""


@st.composite
def _worlds(draw: st.DrawFn) -> World:
    entries: list[Json] = []
    blobs: dict[str, bytes] = {}
    for _ in range(draw(st.integers(0, 6))):
        one, behind = draw(_entries())
        entries.append(one)
        blobs |= {digest(content): content for content in behind}
    return entries, blobs


@st.composite
def _entries(draw: st.DrawFn) -> tuple[Json, tuple[bytes, ...]]:
    """Return an entry and what its descriptor leads to."""
    name = str(draw(st.integers(0, 10**6)))
    annotations = draw(st.none() | st.fixed_dictionaries({}, optional={"gpu": st.sampled_from(["yes", "no"])}))
    if draw(st.integers(0, 9)) == 0:
        return without_platform(name, annotations), ()
    keys: Json = {}
    behind: tuple[bytes, ...] = ()
    match draw(st.sampled_from(["none", "none", "inline", "document", "both", "manifest", "broken", "features"])):
        case "inline":
            keys["compatibilities"] = draw(_SETS)
        case "document":
            behind = (to_bytes({"compatibilities": draw(_SETS)}),)
            keys["compat"] = descriptor(behind[0], DOCUMENT_MEDIA_TYPE)
        case "both":
            behind = (to_bytes({"compatibilities": draw(_SETS)}),)
            keys["compat"] = descriptor(behind[0], DOCUMENT_MEDIA_TYPE)
            keys["compatibilities"] = draw(_SETS)
        case "manifest":
            config = to_bytes({"config": {"compatibilities": draw(_SETS)}})
            behind = (manifest_of(config), config)
            keys["compat"] = descriptor(behind[0], MANIFEST_MEDIA_TYPE)
        case "broken":
            keys["compat"] = 7
        case "features":
            keys["features"] = draw(st.lists(st.sampled_from(["avx2", "sha_ni"]), max_size=2))
        case _:
            pass
    return entry(name, draw(_PLATFORMS), annotations, **keys), behind


_WORLDS = _worlds()
_CONDITIONS = st.one_of(
    st.builds(partial(Condition, Trait.ANNOTATION), st.just(Glob("gpu")), st.sampled_from([Glob("yes"), Glob("n*")])),
    st.builds(
        partial(Condition, Trait.LABEL),
        st.sampled_from([Glob("oci.kernel.version"), Glob("oci.*"), Glob("x")]),
        st.sampled_from([ANYTHING, Glob(">=*"), Glob("1")]),
    ),
    st.builds(partial(Condition, Trait.TAG), st.sampled_from([Glob("mpi"), Glob("gpu"), ANYTHING])),
    st.builds(partial(Condition, Trait.FEATURE), st.sampled_from([Glob("avx2"), Glob("SHA_NI"), Glob("a*")])),
    st.builds(partial(Condition, Trait.VARIANT), st.sampled_from([Glob("v1"), Glob("v3")])),
    st.builds(partial(Condition, Trait.PLATFORM), st.sampled_from([Glob("linux/amd64*"), Glob("linux/arm64")])),
)
_REQUIREMENTS = st.lists(_CONDITIONS, min_size=1, max_size=2).map(lambda some: Requirement(tuple(some)))
_PREFERENCES = st.builds(Preference, _REQUIREMENTS, st.integers(-3, 3).filter(bool))
_ORDERS_OF_CRITERIA = st.lists(st.sampled_from(ORDER[1:-1]), unique=True).map(
    lambda middle: (Criterion.TIER, *middle, Criterion.POSITION)
)
_POLICIES = st.builds(
    Policy,
    unknown=st.sampled_from(Unknown),
    # The usual order often: only there is metadata not wanted that could not win.
    order=st.just(ORDER) | _ORDERS_OF_CRITERIA,
    prefer=st.lists(_PREFERENCES, max_size=3).map(tuple),
    require=st.just(()) | st.lists(_REQUIREMENTS, max_size=1).map(tuple),
    forbid=st.just(()) | st.lists(_REQUIREMENTS, max_size=1).map(tuple),
    platforms=st.sampled_from([(), (), ("linux/arm64",), ("wasi/wasm",)]),
)
_PODS = st.fixed_dictionaries(
    {},
    optional={
        PREFER_TAG: st.sampled_from(["mpi", "gpu,mpi", "*", ""]),
        FORBID_TAG: st.sampled_from(["mpi", "gpu , mpi", "*", ",", "a," * 40]),
        MODE: st.sampled_from(["off", "enforce", ""]),
    },
)


def _position(decision: Decision) -> int | None:
    return None if decision.chosen is None else decision.chosen.position


@given(_WORLDS, _NODES, _POLICIES)
def test_a_ranking_is_a_permutation_of_its_input(world: World, where: Node, policy: Policy) -> None:
    entries, blobs = world
    found = index(*entries)
    ranking = decide(found, where, policy, blobs).ranking
    assert sorted(ranked.position for ranked in ranking) == list(range(len(entries)))
    assert all(ranked.descriptor is found.entries[ranked.position] for ranked in ranking)


@given(_WORLDS, _NODES, _POLICIES)
def test_a_ranking_is_ordered_by_tier_and_the_best_candidate_is_chosen(
    world: World, where: Node, policy: Policy
) -> None:
    entries, blobs = world
    decision = decide(index(*entries), where, policy, blobs)
    tiers = [
        "barred" if ranked.barred and ranked.verdict.truth is not Truth.NO else ranked.verdict.truth
        for ranked in decision.ranking
    ]
    assert tiers == sorted(tiers, key=[Truth.YES, Truth.UNKNOWN, "barred", Truth.NO].index)
    if decision.chosen is None:
        assert not {Truth.YES, Truth.UNKNOWN} & set(tiers)
    else:
        assert decision.chosen == decision.ranking[0]
        assert tiers[0] in {Truth.YES, Truth.UNKNOWN}
        assert tiers[0] is Truth.YES or policy.unknown is Unknown.LAST


@given(_WORLDS, _NODES, _POLICIES)
def test_ranking_a_ranking_again_changes_nothing(world: World, where: Node, policy: Policy) -> None:
    entries, blobs = world
    ranking = decide(index(*entries), where, policy, blobs).ranking
    also_runs = where.with_platforms(policy.platforms).also_runs
    again = rank([(ranked.descriptor, ranked.verdict) for ranked in ranking], policy, also_runs=also_runs)
    assert [ranked.position for ranked in again] == list(range(len(ranking)))


@given(_WORLDS, _NODES, _POLICIES, st.integers(0, 6), st.booleans())
def test_adding_an_incompatible_entry_never_changes_the_choice(
    world: World, where: Node, policy: Policy, place: int, by_platform: object
) -> None:
    entries, blobs = world
    before = decide(index(*entries), where, policy, blobs)
    platform = f"{where.os}/{where.architecture}"
    misfit = (
        entry("misfit", "windows/mips", {"gpu": "yes"})
        if by_platform
        else entry("misfit", platform, {"gpu": "yes"}, **{"os.features": ["none"]}, compat=[{"compatibility-score": 9}])
    )
    where = msgspec.structs.replace(where, facts=where.facts.merged(Facts(flags={"os.features": frozenset()})))
    after = decide(index(*entries[:place], misfit, *entries[place:]), where, policy, blobs)
    assert (before.chosen is None) == (after.chosen is None)
    if before.chosen and after.chosen:
        assert after.chosen.descriptor == before.chosen.descriptor
    assert before.decided_by == after.decided_by


@st.composite
def _one_more(draw: st.DrawFn, known: Facts) -> Facts:
    """Return the facts with one new element in a covered or uncovered feature."""
    match draw(st.sampled_from(["flag", "attribute", "instance"])):
        case "flag":
            feature = draw(st.sampled_from(sorted(_FLAGS)))
            flag = draw(st.sampled_from(_FLAGS[feature]))
            return known.merged(Facts(flags={feature: known.flags.get(feature, frozenset()) | {flag}}))
        case "attribute":
            feature = draw(st.sampled_from(sorted(_ATTRIBUTES)))
            element = draw(st.sampled_from(sorted(_ATTRIBUTES[feature])))
            value = draw(st.sampled_from(_ATTRIBUTES[feature][element]))
            elements = {element: value} | dict(known.attributes.get(feature, {}))
            return known.merged(Facts(attributes={feature: elements}))
        case _:
            instance = draw(st.sampled_from(_DEVICES))
            return known.merged(Facts(instances={"pci.device": (*known.instances.get("pci.device", ()), instance)}))


@given(st.data(), _FACTS, _one_label(_LABELS | _ABSENCES))
def test_adding_a_fact_never_turns_a_check_from_yes_to_unknown(
    data: st.DataObject, known: Facts, label: tuple[str, str]
) -> None:
    more = data.draw(_one_more(known))
    for check in checks_of_label(*label):
        if judge(check, Node("linux", "amd64", facts=known)).truth is Truth.YES:
            assert judge(check, Node("linux", "amd64", facts=more)).truth is not Truth.UNKNOWN


@given(st.data(), _WORLDS, _NODES)
def test_adding_a_fact_never_turns_a_verdict_from_yes_to_unknown(
    data: st.DataObject, world: World, where: Node
) -> None:
    entries, blobs = world
    more = msgspec.structs.replace(where, facts=data.draw(_one_more(where.facts)))
    before, after = (decide(index(*entries), one, None, blobs) for one in (where, more))
    truths = {ranked.position: ranked.verdict.truth for ranked in after.ranking}
    for ranked in before.ranking:
        if ranked.verdict.truth is Truth.YES:
            assert truths[ranked.position] is Truth.YES


def _without(known: Facts, feature: str) -> Facts:
    """Return the facts as if no detector had looked for one feature."""
    return Facts(
        {name: found for name, found in known.flags.items() if name != feature},
        {name: found for name, found in known.attributes.items() if name != feature},
        {name: found for name, found in known.instances.items() if name != feature},
    )


_FEATURES = st.sampled_from([*_FLAGS, *_ATTRIBUTES, "pci.device"])


@given(_FACTS, _FEATURES, _one_label(_LABELS | _ABSENCES))
def test_removing_cover_never_turns_a_check_from_unknown_to_yes(
    known: Facts, feature: str, label: tuple[str, str]
) -> None:
    for check in checks_of_label(*label):
        if judge(check, Node("linux", "amd64", facts=known)).truth is not Truth.YES:
            less = _without(known, feature)
            assert judge(check, Node("linux", "amd64", facts=less)).truth is not Truth.YES


@given(_WORLDS, _NODES, _FEATURES)
def test_removing_cover_never_turns_a_verdict_from_unknown_to_yes(world: World, where: Node, feature: str) -> None:
    entries, blobs = world
    less = msgspec.structs.replace(where, facts=_without(where.facts, feature))
    before, after = (decide(index(*entries), one, None, blobs) for one in (where, less))
    truths = {ranked.position: ranked.verdict.truth for ranked in after.ranking}
    for ranked in before.ranking:
        if ranked.verdict.truth is Truth.UNKNOWN:
            assert truths[ranked.position] is not Truth.YES


# platforms.Only of a node without a variant of its own, as containerd's default platform is.
_VECTORS: Final = {
    "amd64": [("amd64", ""), ("386", "")],
    "arm64": [("arm64", ""), *(("arm", variant) for variant in ("v8", "v7", "v6", "v5"))],
}
_NAMES: Final = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "i386": "386"}
_PLAIN: Final = {("amd64", "v1"): "", ("arm64", "v8"): "", ("arm64", "8"): "", ("arm", ""): "v7", ("arm", "7"): "v7"}


def _containerd_choice(entries: list[Json], architecture: str) -> int | None:
    """Choose as containerd does: by place in the vector, then by place in the index, without a platform last."""
    vector = _VECTORS[architecture]
    places: list[tuple[int, int]] = []
    for position, one in enumerate(entries):
        platform = one.get("platform")
        if platform is None:
            places.append((len(vector), position))
            continue
        name = platform["architecture"].lower()
        name, variant = _NAMES.get(name, name), platform.get("variant", "").lower()
        key = (name, _PLAIN.get((name, variant), variant))
        if platform["os"].lower() == "linux" and key in vector:
            places.append((vector.index(key), position))
    return min(places)[1] if places else None


_BARE_PLATFORMS: Final = {
    "amd64": ["linux/amd64", "linux/amd64/v1", "Linux/X86_64", "linux/x86-64"],
    "arm64": ["linux/arm64", "linux/arm64/v8", "linux/aarch64", "linux/arm64/8"],
}
# What containerd takes where nothing else fits; an empty one names no platform.
_LAST_RESORTS: Final = {"amd64": ["", "linux/386"], "arm64": ["", "linux/arm/v7", "linux/arm", "linux/arm/v5"]}
_FOREIGN: Final = ["windows/amd64", "windows/arm64", "linux/s390x", "linux/ppc64le", "unknown/unknown", "linux/arm/v9"]


@st.composite
def _plain_indexes(draw: st.DrawFn, architecture: str) -> list[Json]:
    """Return entries without metadata and without variants above the default."""
    other = {"amd64": "arm64", "arm64": "amd64"}[architecture]
    platforms = _BARE_PLATFORMS[architecture] + _BARE_PLATFORMS[other] + _FOREIGN
    last = draw(st.lists(st.sampled_from(_LAST_RESORTS[architecture]), max_size=3))
    drawn = draw(st.lists(st.sampled_from(platforms), max_size=5)) + last
    entries = [entry(str(number), one) if one else without_platform(str(number)) for number, one in enumerate(drawn)]
    return draw(st.permutations(entries))


@given(st.data(), st.sampled_from(["amd64", "arm64"]), st.booleans())
def test_without_metadata_and_higher_variants_the_choice_is_that_of_containerd(
    data: st.DataObject, architecture: str, variant_known: object
) -> None:
    entries = data.draw(_plain_indexes(architecture))
    variant = {"amd64": "v3", "arm64": "v8.2"}[architecture] if variant_known else ""
    decision = decide(index(*entries), Node("linux", architecture, variant))
    assert _position(decision) == _containerd_choice(entries, architecture)


def _shuffled(value: Any, order: random.Random) -> Any:
    """Return the same JSON value with the keys of its objects in another order."""
    if isinstance(value, dict):
        keys = list(value)
        order.shuffle(keys)
        return {key: _shuffled(value[key], order) for key in keys}
    return [_shuffled(one, order) for one in value] if isinstance(value, list) else value


@given(_WORLDS, _NODES, _POLICIES, st.randoms(use_true_random=False))
def test_the_order_of_keys_of_an_index_never_matters(
    world: World, where: Node, policy: Policy, order: random.Random
) -> None:
    entries, blobs = world
    content = index_bytes(*entries)
    one = decide(parse_index(content, digest(content)), where, policy, blobs)
    shuffled = to_bytes(_shuffled(json.loads(content), order))
    other = decide(parse_index(shuffled, digest(content)), where, policy, blobs)
    for first, second in zip(one.ranking, other.ranking, strict=True):
        assert (first.position, first.verdict.truth, first.merits) == (
            second.position,
            second.verdict.truth,
            second.merits,
        )
    assert one.decided_by == other.decided_by


@given(_WORLDS, _NODES, _POLICIES, st.randoms(use_true_random=False))
def test_the_order_in_which_pieces_are_supplied_never_matters(
    world: World, where: Node, policy: Policy, order: random.Random
) -> None:
    entries, blobs = world
    expected = decide(index(*entries), where, policy, blobs)
    selection = Selection(index(*entries), where, policy)
    while wanted := list(selection.wanted()):
        order.shuffle(wanted)
        for locator in wanted:
            selection.supply(locator, blobs[locator.digest])
    assert selection.decide() == expected


@given(_WORLDS, _NODES, _POLICIES)
def test_what_is_not_wanted_could_not_have_changed_the_choice(world: World, where: Node, policy: Policy) -> None:
    entries, blobs = world
    complete = Selection(index(*entries), where, policy, complete=True)
    supply_all(complete, blobs)
    assert _position(complete.decide()) == _position(decide(index(*entries), where, policy, blobs))


@given(_WORLDS, _NODES, _POLICIES)
def test_each_entry_stands_before_the_next_by_the_criterion_that_is_told(
    world: World, where: Node, policy: Policy
) -> None:
    entries, blobs = world
    decision = decide(index(*entries), where, policy, blobs)
    found = advantages(decision)
    assert len(found) == len(entries)
    for better, worse, criterion in zip(decision.ranking, decision.ranking[1:], found, strict=False):
        assert criterion is not None
        before = policy.order[: policy.order.index(criterion)]
        assert all(better.merits[one] == worse.merits[one] for one in before)
        assert better.merits[criterion] > worse.merits[criterion]


def _candidates(world: World, where: Node, policy: Policy) -> set[int]:
    entries, blobs = world
    complete = Selection(index(*entries), where, policy, complete=True)
    supply_all(complete, blobs)
    return {ranked.position for ranked in complete.decide().ranking if ranked.is_candidate}


@given(_WORLDS, _NODES, _POLICIES, _PODS, st.sets(st.sampled_from(POD_ANNOTATIONS)))
def test_a_pod_narrows_what_may_be_chosen_and_never_widens_it(
    world: World, where: Node, policy: Policy, annotations: dict[str, str], allowed: set[str]
) -> None:
    policy = msgspec.structs.replace(policy, pod_annotations=frozenset(allowed))
    narrowed = Policies(policy).of(Pull("r.io/app:1", annotations=annotations))
    assert _candidates(world, where, narrowed) <= _candidates(world, where, policy)
    assert narrowed.mode in {policy.mode, Mode.OFF}
    if not allowed & annotations.keys():
        assert msgspec.structs.replace(narrowed, notes=()) == policy


@settings(max_examples=15)
@given(st.integers(MAX_FETCHES - 2, MAX_FETCHES + 40), st.integers(0, 40), st.booleans())
def test_never_more_than_512_pieces_are_wanted(documents: int, manifests: int, complete: bool) -> None:  # noqa: FBT001
    contents = [to_bytes([{"number": number}]) for number in range(documents)]
    parts = [manifest_of(to_bytes({"compatibilities": [], "number": number})) for number in range(manifests)]
    found = index(
        *(entry(f"m{number}", compat=descriptor(one, MANIFEST_MEDIA_TYPE)) for number, one in enumerate(parts)),
        *(entry(f"d{number}", compat=descriptor(one, DOCUMENT_MEDIA_TYPE)) for number, one in enumerate(contents)),
    )
    selection = Selection(found, node(), Policy(), complete=complete)
    assert len(supply_all(selection, {digest(one): one for one in (*contents, *parts)})) <= MAX_FETCHES


@given(_WORLDS, _NODES, _POLICIES)
def test_every_decision_can_be_explained(world: World, where: Node, policy: Policy) -> None:
    entries, blobs = world
    decision = decide(index(*entries), where, policy, blobs)
    data = json.loads(json.dumps(as_data(decision)))
    assert [one["position"] for one in data["entries"]] == list(range(len(entries)))
    assert all(one["reason"] for one in data["entries"])
    if decision.chosen is None:
        text = refusal(decision, "r.io/app:1")
        assert len(text.encode()) < MAX_REFUSAL_BYTES
        assert text.isprintable()
