"""``imagefit config``: whether the configuration is good, what holds and since which line, its schema, an example.

Knows how that is shown: as TOML that loads to the same configuration, or as JSON. Leaves reading to ``config``.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from imagefit.config import DEFAULT_PATH, FaultyConfigurationError, Loaded, read_config
from imagefit.config.example import example
from imagefit.config.lines import Path as KeyPath
from imagefit.config.merging import Merged
from imagefit.config.schema import packaged_schema
from imagefit.config.unreachable import MAX_TOLD, unreachable_rules
from imagefit.config.writing import Origin, format_keys, format_toml, format_value
from imagefit.errors import InvalidConfigurationError
from imagefit.model.glob import ANYTHING
from imagefit.model.policy import Policy, Pull, Requirement
from imagefit.model.reference import parse_reference
from imagefit.selection.explain import printable

_ELSEWHERE: Final[Mapping[str, KeyPath]] = {
    "ranking": ("ranking", "order"),
    "prefer": ("prefer",),
    "require": ("require",),
    "dialects": ("trust", "referrers", "dialects"),
    "require-signature": ("trust", "referrers", "require-signature"),
}


def check_config(config_path: Path | None) -> int:
    """Read the configuration and say which files are good, which rules are without effect, and how many there are.

    Args:
        config_path: the configuration, or None for the default one.

    Returns:
        0.

    Raises:
        InvalidConfigurationError: it has a fault. Of several each has been printed, on a line of standard error.
    """
    try:
        loaded = read_config(config_path)
    except FaultyConfigurationError as error:
        raise _told(error) from error
    for file in loaded.files:
        print(f"{file}: good")
    if not loaded.files:
        print(f"{printable(str(config_path or DEFAULT_PATH))}: not there, the defaults hold")
    config = loaded.config
    _print_warnings(loaded)
    print(f"rules: {len(config.image)} [[image]], {len(config.prefer)} [[prefer]], {len(config.require)} [[require]]")
    return 0


def show_config(config_path: Path | None, *, as_json: bool) -> int:
    """Show every value that holds, and which line of which file it comes from.

    Args:
        config_path: the configuration, or None for the default one.
        as_json: print JSON (``files``, ``values``, ``origins``) instead of TOML.

    Returns:
        0.

    Raises:
        InvalidConfigurationError: it has a fault.
    """
    loaded = read_config(config_path)
    values = msgspec.to_builtins(loaded.config)
    origin = loaded.merged.origin
    if as_json:
        _print_json({"files": loaded.files, "values": values, "origins": dict(_origins(values, origin))})
        return 0
    print("\n".join(f"# read: {file}" for file in loaded.files) or "# no file is there")
    print(f"\n{format_toml(values, origin)}", end="")
    return 0


def show_policy(
    config_path: Path | None, image: str, namespace: str = "", runtime_handler: str = "", *, as_json: bool
) -> int:
    """Show the policy that a pull would get, by which rule, and where each value comes from.

    Args:
        config_path: the configuration, or None for the default one.
        image: its name; a short one means what containerd takes it for.
        namespace: of the pod.
        runtime_handler: of the pod.
        as_json: print JSON instead of TOML.

    Returns:
        0.

    Raises:
        InvalidConfigurationError: the configuration has a fault.
        InvalidReferenceError: ``image`` is no image name.
    """
    loaded = read_config(config_path)
    pull = Pull(str(parse_reference(image)), namespace, runtime_handler)
    policies = loaded.config.policies
    policy = policies.of(pull)
    number = next((at for at, rule in enumerate(policies.rules) if rule.policy.rule == policy.rule), None)
    whole = policies.default if number is None else policies.rules[number].policy
    values, origin = _as_written(policy), _policy_origin(loaded.merged, number, policy, whole)
    where = "" if number is None else loaded.merged.origin(("image", number))
    if as_json:
        asked = {"image": pull.image, "namespace": namespace, "runtimeHandler": runtime_handler}
        origins = {"rule": where, **dict(_origins(values, origin))}
        _print_json(asked | {"rule": policy.rule, "policy": values, "origins": origins})
        return 0
    print(f"# image: {pull.image}")
    print(f"# namespace: {format_value(namespace)}, runtime handler: {format_value(runtime_handler)}")
    print(f"# rule: {printable(policy.rule) or 'none, what holds for every pull'}")
    if where:
        print(f"#   {where}")
    print("\n".join(format_keys(values, origin)))
    return 0


def show_config_schema() -> int:
    """Print the JSON Schema of the configuration. Returns 0."""
    print(packaged_schema(), end="")
    return 0


def show_example() -> int:
    """Print the annotated example. Returns 0."""
    print(example(), end="")
    return 0


def _told(error: FaultyConfigurationError) -> InvalidConfigurationError:
    """Print all faults where there are several, and return what is left to raise."""
    if len(error.faults) == 1:
        return error
    for fault in error.faults:
        print(f"{fault}{f' ({fault.advice})' if fault.advice else ''}", file=sys.stderr)
    count = len(error.faults) + error.more
    return InvalidConfigurationError(f"{count} faults{f', of which {error.more} are not shown' if error.more else ''}")


def _print_warnings(loaded: Loaded) -> None:
    unreachable = unreachable_rules(loaded.config)
    for one in unreachable[:MAX_TOLD]:
        print(f"{loaded.merged.origin(('image', one.number - 1))}: warning: {printable(str(one))}")
    if len(unreachable) > MAX_TOLD:
        print(f"and {len(unreachable) - MAX_TOLD} more warnings")


def _print_json(data: dict[str, Any]) -> None:
    print(json.dumps(data, indent=2))


def _origins(data: Any, origin: Origin, path: KeyPath = ()) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any value
    """Yield the name of every key, such as ``image 1.match``, and where its value comes from."""
    for name, value in data.items():
        here = (*path, name)
        if isinstance(value, dict):
            yield from _origins(value, origin, here)
        elif isinstance(value, list | tuple) and any(isinstance(one, dict) for one in value):
            for at, one in enumerate(value):
                yield from _origins(one, origin, (*here, at))
        else:
            yield _dotted(here), origin(here)


def _dotted(path: KeyPath) -> str:
    """Return a path in words; tables in arrays are counted from 1, as in ``[[image]] 1``, the name of a rule."""
    words = (f" {step + 1}" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(words).removeprefix(".")


def _as_written(policy: Policy) -> dict[str, Any]:
    """Return a policy as an ``[[image]]`` that gives every key has it."""
    return {
        "mode": policy.mode.value,
        "no-match": policy.no_match.value,
        "unknown": policy.unknown.value,
        "on-error": policy.on_error.value,
        "trust": [*policy.trust],
        **(_of_referrers(policy) if policy.trust_referrers else {}),
        "time-budget": policy.budget_seconds,
        "pod-annotations": sorted(policy.pod_annotations),
        "ranking": [criterion.value for criterion in policy.order],
        "prefer": [_conditions(one.wish) | {"weight": one.weight} for one in policy.prefer],
        "require": [*map(_conditions, policy.require)],
        "platforms": [*policy.platforms],
    }


def _of_referrers(policy: Policy) -> dict[str, Any]:
    """Return what holds for those that only refer to an image; an ``[[image]]`` has no keys for it."""
    return {"dialects": [*policy.dialects], "require-signature": policy.require_signature}


def _conditions(requirement: Requirement) -> dict[str, str]:
    written = {condition.trait.value: condition.name.text for condition in requirement.conditions}
    for name, pattern in (
        *(("value", condition.value) for condition in requirement.conditions),
        ("runtime-handler", requirement.runtime_handler),
    ):
        if pattern != ANYTHING:
            written[name] = pattern.text
    return written


def _policy_origin(merged: Merged, number: int | None, policy: Policy, whole: Policy) -> Origin:
    """Return what tells where a value of ``_as_written`` comes from: the rule, or what holds for every pull.

    Args:
        merged: all files.
        number: of the rule, from 0.
        policy: of the pull.
        whole: the same with what is for other runtime handlers.
    """

    def origin(path: KeyPath) -> str:
        name, *below = path
        if below and name in {"prefer", "require"}:
            below[0] = getattr(whole, str(name)).index(getattr(policy, str(name))[below[0]])
        own: KeyPath = ("image", number, name) if number is not None else ()
        general = _ELSEWHERE.get(str(name), ("policy", name))
        return merged.origin((*(own if own and merged.has(own) else general), *below))

    return origin
