"""Policies: which one holds for a pull, and what a pod may change of it."""

import pytest
from msgspec.structs import replace

from builders import asks, prefers
from imagefit.model.glob import ANYTHING, Glob
from imagefit.model.policy import (
    FORBID_TAG,
    MODE,
    ORDER,
    POD_ANNOTATIONS,
    PREFER_TAG,
    Condition,
    Criterion,
    ImageRule,
    Mode,
    Policies,
    Policy,
    Preference,
    Pull,
    Requirement,
    Trait,
)

_TIER, _SCORE, _POSITION = Criterion.TIER, Criterion.SCORE, Criterion.POSITION


@pytest.mark.parametrize("order", [(_TIER, _POSITION), (_TIER, _SCORE, _POSITION), ORDER], ids=["least", "one", "all"])
def test_an_order_begins_with_the_tier_and_ends_with_the_position(order: tuple[Criterion, ...]) -> None:
    assert Policy(order=order).order == order


@pytest.mark.parametrize(
    "order",
    [
        pytest.param((), id="none"),
        pytest.param((_TIER,), id="no position"),
        pytest.param((_POSITION,), id="no tier"),
        pytest.param((_POSITION, _TIER), id="the wrong way round"),
        pytest.param((_SCORE, _TIER, _POSITION), id="not the tier first"),
        pytest.param((_TIER, _POSITION, _SCORE), id="not the position last"),
        pytest.param((_TIER, _SCORE, _SCORE, _POSITION), id="one twice"),
        pytest.param((_TIER, _TIER, _POSITION), id="the tier twice"),
    ],
)
def test_an_order_that_would_not_be_total_is_refused(order: tuple[Criterion, ...]) -> None:
    with pytest.raises(ValueError, match="begins with tier"):
        Policy(order=order)


def test_a_requirement_is_shown_in_words() -> None:
    conditions = (
        Condition(Trait.ANNOTATION, Glob("org.example.mpi"), Glob("mpich")),
        Condition(Trait.ANNOTATION, Glob("gpu")),
        Condition(Trait.LABEL, Glob("a"), Glob("")),
        Condition(Trait.TAG, Glob("fast*")),
    )
    words = "annotation org.example.mpi = mpich and annotation gpu and label a =  and tag fast*"
    assert str(Requirement(conditions)) == words


def _rule(rule: str, image: str = "*", namespace: str = "*", handler: str = "*") -> ImageRule:
    return ImageRule(Policy(rule=rule), Glob(image), Glob(namespace), Glob(handler))


_PULL = Pull("r.io/team/app:1", "lab", "nvidia")


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        pytest.param(_rule("x"), True, id="nothing asked"),
        pytest.param(_rule("x", image="r.io/*"), True, id="image"),
        pytest.param(_rule("x", image="r.io/app*"), False, id="other image"),
        pytest.param(_rule("x", namespace="lab"), True, id="namespace"),
        pytest.param(_rule("x", namespace="la"), False, id="other namespace"),
        pytest.param(_rule("x", handler="nv*"), True, id="runtime handler"),
        pytest.param(_rule("x", handler=""), False, id="the default runtime handler"),
        pytest.param(_rule("x", "r.io/*", "lab", "nvidia"), True, id="all three"),
        pytest.param(_rule("x", "q.io/*", "lab", "nvidia"), False, id="all but the image"),
        pytest.param(_rule("x", "r.io/*", "prod", "nvidia"), False, id="all but the namespace"),
        pytest.param(_rule("x", "r.io/*", "lab", "wasm"), False, id="all but the runtime handler"),
    ],
)
def test_a_rule_is_for_the_pulls_that_all_its_patterns_match(rule: ImageRule, expected: object) -> None:
    assert rule.matches(_PULL) is expected
    assert (Policies(rules=(rule,)).of(_PULL).rule == "x") is expected


def test_without_a_namespace_or_runtime_handler_a_pull_matches_only_patterns_for_the_empty_text() -> None:
    bare = Pull("r.io/app:1")
    assert _rule("x", namespace="", handler="").matches(bare)
    assert not _rule("x", namespace="?*").matches(bare)


def test_the_first_rule_that_matches_decides_and_else_the_default() -> None:
    policies = Policies(
        Policy(rule="default"), (_rule("1", "q.io/*"), _rule("2", "r.io/team/*"), _rule("3", "r.io/*"), _rule("4", "z"))
    )
    assert [
        policies.of(Pull(image)).rule for image in ("r.io/team/app:1", "r.io/app:1", "q.io/app:1", "s.io/app:1")
    ] == [
        "2",
        "3",
        "1",
        "default",
    ]


def test_preferences_and_requirements_are_for_the_runtime_handlers_that_they_name() -> None:
    any_handler = asks(Trait.TAG, "any")
    nvidia = replace(asks(Trait.TAG, "gpu"), runtime_handler=Glob("nvidia*"))
    default = replace(asks(Trait.TAG, "cpu"), runtime_handler=Glob(""))
    wishes = (any_handler, nvidia, default)
    policies = Policies(Policy(prefer=tuple(map(Preference, wishes)), require=wishes))
    for handler, expected in {
        "nvidia-cdi": (any_handler, nvidia),
        "": (any_handler, default),
        "wasm": (any_handler,),
    }.items():
        policy = policies.of(Pull("r.io/app:1", runtime_handler=handler))
        assert policy.require == expected
        assert tuple(one.wish for one in policy.prefer) == expected


def _of(annotations: dict[str, str], *allowed: str, policy: Policy | None = None) -> Policy:
    base = replace(policy or Policy(), pod_annotations=frozenset(allowed))
    return Policies(base).of(Pull("r.io/app:1", annotations=annotations))


_MPI, _GPU = asks(Trait.TAG, "mpi"), asks(Trait.TAG, "gpu")


@pytest.mark.parametrize("value", ["mpi,gpu", " mpi , gpu ", "mpi,,gpu,"], ids=["plain", "spaces", "empty items"])
def test_a_pod_may_prefer_and_forbid_tags(value: str) -> None:
    assert _of({PREFER_TAG: value}, PREFER_TAG).prefer == (Preference(_MPI, 1, (_GPU,)),)
    assert _of({FORBID_TAG: value}, FORBID_TAG).forbid == (_MPI, _GPU)


def test_what_a_pod_asks_for_is_added_to_what_the_operator_set() -> None:
    operators = Policy(prefer=(prefers("a", "b", 7),), require=(_GPU,), forbid=(_GPU,))
    policy = _of({PREFER_TAG: "mpi", FORBID_TAG: "mpi"}, *POD_ANNOTATIONS, policy=operators)
    assert policy.prefer == (*operators.prefer, Preference(_MPI, 1))
    assert policy.forbid == (_GPU, _MPI)
    assert policy.require == (_GPU,)
    assert policy.notes == ()


def test_a_pod_may_turn_choosing_off() -> None:
    assert _of({MODE: "off"}, MODE).mode is Mode.OFF


@pytest.mark.parametrize("value", ["enforce", "observe", "Off", "", "off "])
@pytest.mark.parametrize("mode", Mode)
def test_a_pod_may_set_no_other_mode(mode: Mode, value: str) -> None:
    policy = _of({MODE: value}, MODE, policy=Policy(mode=mode))
    assert policy.mode is mode
    assert policy.notes == ("imagefit.dev/mode can only be 'off'",)


@pytest.mark.parametrize(("name", "value"), [(PREFER_TAG, "mpi"), (FORBID_TAG, "mpi"), (MODE, "off")])
def test_an_annotation_that_the_operator_does_not_allow_changes_nothing_and_is_noted(name: str, value: str) -> None:
    others = set(POD_ANNOTATIONS) - {name}
    policy = _of({name: value}, *others)
    assert policy == Policy(pod_annotations=frozenset(others), notes=(f"{name} is not allowed by the operator",))


def test_other_annotations_are_nobodys_business() -> None:
    assert _of({"imagefit.dev/other": "x", "prefer-tag": "mpi"}, *POD_ANNOTATIONS) == Policy(
        pod_annotations=frozenset(POD_ANNOTATIONS)
    )


@pytest.mark.parametrize("name", [PREFER_TAG, FORBID_TAG])
@pytest.mark.parametrize(
    ("value", "taken"),
    [
        pytest.param(",".join("abcdefghijklmnop"), 16, id="as many as may be"),
        pytest.param(",".join("abcdefghijklmnopq"), 0, id="one too many"),
        pytest.param("a" * 128, 1, id="as long as may be"),
        pytest.param("a," + "b" * 129, 0, id="one too long"),
        pytest.param("", 0, id="none"),
        pytest.param(" , ,", 0, id="only separators"),
    ],
)
def test_too_many_tags_or_too_long_ones_change_nothing_and_are_noted(name: str, value: str, taken: int) -> None:
    policy = _of({name: value}, name)
    assert sum(len(one.wishes) for one in policy.prefer) + len(policy.forbid) == taken
    assert sum(one.weight for one in policy.prefer) <= 1
    has_any = bool(value.strip(" ,"))
    assert [name in note for note in policy.notes] == [True] * (has_any and not taken)
    assert all(len(note) < 200 for note in policy.notes)


def test_anything_is_the_default_of_every_pattern() -> None:
    assert ImageRule(Policy()).image == ImageRule(Policy()).namespace == Requirement(()).runtime_handler == ANYTHING
