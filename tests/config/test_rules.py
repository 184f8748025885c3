"""Which policies the tables make."""

import pytest

from imagefit.config import parse_config
from imagefit.model.glob import ANYTHING, Glob
from imagefit.model.policy import (
    ORDER,
    Condition,
    Criterion,
    ImageRule,
    Mode,
    NoMatch,
    OnError,
    Policies,
    Policy,
    Preference,
    Pull,
    Requirement,
    Trait,
    Unknown,
)


def policies(text: str) -> Policies:
    return parse_config(text.encode(), "c.toml").policies


def one(trait: Trait, name: str, value: Glob = ANYTHING, handler: Glob = ANYTHING) -> Requirement:
    return Requirement((Condition(trait, Glob(name), value),), handler)


def test_nothing_makes_the_default() -> None:
    assert policies("") == Policies(Policy(), ())


def test_the_policy_carries_every_answer() -> None:
    text = (
        '[policy]\nmode = "observe"\nno-match = "pass-through"\nunknown = "reject"\non-error = "fail"\n'
        'time-budget = 3\npod-annotations = ["imagefit.dev/mode", "imagefit.dev/forbid-tag"]\n'
        '[ranking]\norder = ["tier", "cpu", "position"]\n[[prefer]]\ntag = "a"\n[[require]]\nvariant = "v*"\n'
    )
    assert policies(text).default == Policy(
        Mode.OBSERVE,
        NoMatch.PASS_THROUGH,
        Unknown.REJECT,
        OnError.FAIL,
        3.0,
        (Criterion.TIER, Criterion.CPU, Criterion.POSITION),
        prefer=(Preference(one(Trait.TAG, "a")),),
        require=(one(Trait.VARIANT, "v*"),),
        pod_annotations=frozenset({"imagefit.dev/mode", "imagefit.dev/forbid-tag"}),
    )


@pytest.mark.parametrize("trait", Trait)
def test_every_trait_makes_a_condition(trait: Trait) -> None:
    (preference,) = policies(f'[[prefer]]\n{trait} = "x*"\nweight = -7\n').default.prefer
    assert preference == Preference(one(trait, "x*"), -7)
    assert policies(f'[[require]]\n{trait} = "x*"\n').default.require == (one(trait, "x*"),)


@pytest.mark.parametrize("trait", [Trait.ANNOTATION, Trait.LABEL])
@pytest.mark.parametrize("value", ["", "a?"])
def test_a_value_goes_with_the_annotation_or_the_label(trait: Trait, value: str) -> None:
    text = f'[[require]]\nplatform = "linux/*"\n{trait} = "x"\nvalue = "{value}"\n'
    assert policies(text).default.require[0].conditions == (
        Condition(trait, Glob("x"), Glob(value)),
        Condition(Trait.PLATFORM, Glob("linux/*")),
    )


def test_conditions_can_be_for_one_runtime_handler_and_for_the_default_one() -> None:
    text = '[[prefer]]\ntag = "a"\nruntime-handler = "nvidia*"\n[[require]]\ntag = "b"\nruntime-handler = ""\n'
    default = policies(text).default
    assert default.prefer[0].wish == one(Trait.TAG, "a", handler=Glob("nvidia*"))
    assert default.require[0] == one(Trait.TAG, "b", handler=Glob(""))


def test_preferences_are_in_their_order() -> None:
    tags = [f"t{number}" for number in range(5)]
    text = "".join(f'[[prefer]]\ntag = "{tag}"\n' for tag in tags)
    assert [preference.wish.conditions[0].name.text for preference in policies(text).default.prefer] == tags


GENERAL = (
    '[policy]\nmode = "observe"\npod-annotations = ["imagefit.dev/mode"]\n[ranking]\norder = ["tier", "position"]\n'
    '[[prefer]]\ntag = "general"\n[[require]]\ntag = "general"\n'
)


def test_a_rule_takes_what_it_does_not_give_from_what_holds_for_every_pull() -> None:
    made = policies(GENERAL + '[[image]]\nmatch = "a/*"\n')
    (rule,) = made.rules
    assert rule.image == Glob("a/*")
    assert (rule.namespace, rule.runtime_handler) == (ANYTHING, ANYTHING)
    assert rule.policy.rule == "[[image]] 1 (a/*)"
    assert rule.policy.mode is Mode.OBSERVE
    assert rule.policy.prefer == made.default.prefer
    assert rule.policy.order == made.default.order


def test_what_a_rule_gives_replaces_what_holds_for_every_pull() -> None:
    text = (
        '[[image]]\nmatch = "a"\nmode = "off"\nno-match = "pass-through"\nunknown = "reject"\non-error = "fail"\n'
        'trust = ["index"]\ntime-budget = 0.5\npod-annotations = []\nplatforms = ["wasi/wasm"]\n'
        f"ranking = {[str(criterion) for criterion in ORDER]}\n"
        'prefer = [{ tag = "own", weight = 2 }]\nrequire = []\n'
    )
    assert policies(GENERAL + text).rules == (
        ImageRule(
            Policy(
                Mode.OFF,
                NoMatch.PASS_THROUGH,
                Unknown.REJECT,
                OnError.FAIL,
                0.5,
                prefer=(Preference(one(Trait.TAG, "own"), 2),),
                platforms=("wasi/wasm",),
                rule="[[image]] 1 (a)",
            ),
            Glob("a"),
        ),
    )


@pytest.mark.parametrize(
    ("patterns", "name"),
    [
        pytest.param('match = "h/*"', "h/*", id="image"),
        pytest.param('namespace = "n"', "namespace n", id="namespace"),
        pytest.param('namespace = ""', "namespace ''", id="no-namespace"),
        pytest.param('runtime-handler = "w"', "runtime-handler w", id="handler"),
        pytest.param(
            'match = "h/*"\nnamespace = "n"\nruntime-handler = "w"', "h/*, namespace n, runtime-handler w", id="all"
        ),
        pytest.param(f'match = "{"x" * 200}"', f"{'x' * 119}…", id="long"),
    ],
)
def test_a_rule_is_named_by_its_number_and_its_patterns(patterns: str, name: str) -> None:
    made = policies(f'[[image]]\nmatch = "x"\n[[image]]\n{patterns}\n')
    assert made.rules[1].policy.rule == f"[[image]] 2 ({name})"


def test_the_first_rule_that_is_for_a_pull_decides() -> None:
    made = policies(
        '[[image]]\nmatch = "h/a:*"\nnamespace = "n"\nmode = "off"\n'
        '[[image]]\nmatch = "h/*"\nmode = "observe"\n[[image]]\nruntime-handler = ""\nunknown = "reject"\n'
    )
    assert made.of(Pull("h/a:1", "n")).mode is Mode.OFF
    assert made.of(Pull("h/a:1", "other")).mode is Mode.OBSERVE
    assert made.of(Pull("g/a:1")).unknown is Unknown.REJECT
    assert made.of(Pull("g/a:1", runtime_handler="w")) == Policy()


def test_trust_and_the_order_of_dialects_are_of_the_policy() -> None:
    made = policies(
        '[policy]\ntrust = ["index", "referrers"]\n[trust.referrers]\ndialects = ["nfd", "oci"]\n'
        '[[image]]\nmatch = "a"\ntrust = ["index"]\n[[image]]\nmatch = "b"\n'
    )
    assert (made.default.trust_referrers, made.default.dialects) == (True, ("nfd", "oci"))
    assert [one.policy.trust_referrers for one in made.rules] == [False, True]
    assert [one.policy.dialects for one in made.rules] == [("nfd", "oci")] * 2
    only = policies('[[image]]\nmatch = "a"\ntrust = ["referrers", "index"]\n')
    assert (only.default.trust_referrers, only.rules[0].policy.trust_referrers) == (False, True)
    assert not only.default.require_signature
