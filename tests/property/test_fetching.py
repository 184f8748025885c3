"""Metadata that is not fetched could not have changed the choice: in a world where much hangs on metadata."""

from hypothesis import given, settings
from hypothesis import strategies as st

from builders import DOCUMENT_MEDIA_TYPE, Json, asks, descriptor, digest, entry, index, node, supply_all, to_bytes
from imagefit.model.policy import ORDER, Criterion, Policy, Preference, Trait, Unknown
from imagefit.selection.session import Selection

settings.register_profile("core", derandomize=True, deadline=None, max_examples=100, database=None)
settings.load_profile("core")

_NODE = node(attributes={"kernel.version": {"full": "6.1.0"}})
_SETS = st.fixed_dictionaries(
    {"oci.kernel.version": st.sampled_from([">=5", ">=5", ">=6", ">=7"])},
    optional={
        "tags": st.sampled_from(["mpi", "gpu", "mpi,gpu"]),
        "compatibility-score": st.integers(-1, 2),
        "oci.os.glibc": st.just(">=2"),
    },
)


@st.composite
def _worlds(draw: st.DrawFn) -> tuple[list[Json], dict[str, bytes]]:
    """Return entries of which some have metadata to fetch, some have it with them, some have none; and the blobs."""
    entries: list[Json] = []
    blobs: dict[str, bytes] = {}
    for number in range(draw(st.integers(2, 4))):
        annotations = draw(st.sampled_from([None, {"a": "1"}, {"b": "1"}, {"a": "1", "b": "1"}]))
        sets = to_bytes({"compatibilities": draw(st.lists(_SETS, min_size=1, max_size=2))})
        keys: Json = {}
        if draw(st.booleans()):
            keys["compat"] = descriptor(sets, DOCUMENT_MEDIA_TYPE)
            blobs[digest(sets)] = sets
        if draw(st.integers(0, 3)) == 0:
            keys["compatibilities"] = draw(st.lists(_SETS, min_size=1, max_size=2))
        if draw(st.integers(0, 5)) == 0:
            keys["features"] = ["avx2"]  # which nobody looked for
        entries.append(
            entry(str(number), draw(st.sampled_from(["linux/amd64", "linux/amd64/v2"])), annotations, **keys)
        )
    return entries, blobs


_WISHES = st.sampled_from(
    [
        asks(Trait.ANNOTATION, "a"),
        asks(Trait.ANNOTATION, "b"),
        asks(Trait.TAG, "mpi"),
        asks(Trait.TAG, "gpu"),
        asks(Trait.VARIANT, "v2"),
        asks(Trait.LABEL, "oci.kernel.version", ">=6"),
    ]
)
_ORDERS = st.lists(st.sampled_from(ORDER[1:-1]), unique=True).map(
    lambda middle: (Criterion.TIER, *middle, Criterion.POSITION)
)
_POLICIES = st.builds(
    Policy,
    unknown=st.sampled_from(Unknown),
    order=st.just(ORDER) | _ORDERS,
    prefer=st.lists(st.builds(Preference, _WISHES, st.sampled_from([-2, -1, 1, 1, 2, 3])), min_size=1, max_size=4).map(
        tuple
    ),
    require=st.just(()) | st.tuples(_WISHES),
    forbid=st.just(()) | st.tuples(_WISHES),
)


@settings(max_examples=800)
@given(_worlds(), _POLICIES)
def test_what_is_not_fetched_could_not_have_changed_the_choice(
    world: tuple[list[Json], dict[str, bytes]], policy: Policy
) -> None:
    entries, blobs = world
    chosen: list[int | None] = []
    for complete in (True, False):
        selection = Selection(index(*entries), _NODE, policy, complete=complete)
        supply_all(selection, blobs)
        decision = selection.decide()
        chosen.append(None if decision.chosen is None else decision.chosen.position)
    assert chosen[0] == chosen[1]
