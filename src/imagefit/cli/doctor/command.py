"""The command: the order in which things are looked at, and what comes of it.

Knows that one host after the other is looked at as imagefit would ask them, and that a step that cannot be passed ends
the look at its host. Leaves each look to a module of its own.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Final, Literal

from imagefit.cli.credentials import looked_at
from imagefit.cli.doctor.advice import OR_PLAIN_HTTP
from imagefit.cli.doctor.answers import HostProbe
from imagefit.cli.doctor.certificates import observe_files
from imagefit.cli.doctor.configuration import (
    observe_cache,
    observe_credentials,
    observe_folders,
    observe_hosts,
    observe_unused,
)
from imagefit.cli.doctor.connection import observe_connection
from imagefit.cli.doctor.observation import Observation, State, as_data
from imagefit.cli.doctor.view import print_observations
from imagefit.cli.progress import Progress
from imagefit.cli.registries import Asking, InvalidHostsError, Person
from imagefit.cli.terminal import print_data
from imagefit.config import Config, load_config
from imagefit.errors import InvalidConfigurationError
from imagefit.model.policy import Policy, Pull
from imagefit.model.reference import ImageReference, parse_reference
from imagefit.registry.client import Resolved

LIMIT_SECONDS: Final = 10.0
"""Longest time for one question to one host, as long as a decision of the daemon may take in all."""
_REACHED, _NOT_REACHED = 0, 2
_BELOW_ANSWERS: Final = frozenset({"connection", "access"})
_AS_CONTAINERD: Final = "containerd fails over it, too"
_MISSING: Final = f"{_AS_CONTAINERD}: put it there, or take its name out of hosts.toml"


@dataclass(slots=True)
class _HostLook:
    """What was seen of one host, and what it says that the image's name stands for."""

    probe: HostProbe
    observations: list[Observation] = field(default_factory=list)
    resolved: Resolved | None = None

    def answers(self) -> bool:
        """Whether a further question makes sense."""
        return not any(one.state is State.BROKEN and one.step in _BELOW_ANSWERS for one in self.observations)

    @property
    def has_content(self) -> bool:
        """Whether the index or manifest came from it."""
        return any(one.state is State.GOOD and one.step == "content" for one in self.observations)


def doctor(
    image: str,
    config_path: Path | None,
    person: Person,
    form: Literal["table", "json"],
    limit_seconds: float = LIMIT_SECONDS,
) -> int:
    """Look at each step between an image's name and its content, and show what was seen.

    Args:
        image: its name.
        config_path: the configuration file, or None for the default one.
        person: as whom registries are asked.
        form: how.
        limit_seconds: longest time for one question to one host.

    Returns:
        0 if imagefit gets the image's index or manifest, 2 if not.

    Raises:
        ImagefitError: the image's name, the configuration or ``--creds`` is nothing that can be used.
    """
    config = load_config(config_path)
    reference = parse_reference(image)
    observations, asking = _known(config, reference, person)
    if asking is not None:
        policy = config.policies.of(Pull(str(reference)))
        looks = asyncio.run(_looks(asking, reference, policy, limit_seconds))
        observations += [one for look in looks for one in look.observations]
        resolved = _first_resolved(looks)
        observations.append(
            observe_cache(
                Path(config.registry.cache),
                resolved.digest if resolved else "",
                f"{reference.domain}/{reference.path}",
            )
        )
        observations.append(_conclusion(looks))
    if person.plain_http:
        observations = [replace(one, advice=one.advice.replace(OR_PLAIN_HTTP, "")) for one in observations]
    reached = observations[-1].state is not State.BROKEN
    if form == "table":
        print_observations(observations)
    else:
        print_data(as_data(str(reference), observations, reached=reached), form)
    return _REACHED if reached else _NOT_REACHED


def _known(config: Config, reference: ImageReference, person: Person) -> tuple[list[Observation], Asking | None]:
    """Look at what is known before anybody is asked; None where nobody can be."""
    of_hosts: list[InvalidConfigurationError] = []
    of_credentials: list[InvalidConfigurationError] = []
    try:
        asking = person.asking(config, reference, of_hosts.append, of_credentials.append)
    except InvalidHostsError as error:
        advice = error.advice or (_MISSING if error.message.endswith("not there") else _AS_CONTAINERD)
        return [Observation("configuration", State.BROKEN, error.message, advice=advice)], None
    return [
        *observe_folders(asking.found, reference.domain, of_hosts),
        observe_hosts(asking.hosts, by_tag=not reference.digest),
        *observe_credentials(asking, looked_at(person.environment), of_credentials),
        *observe_unused(asking, person.unused(asking, reference), reference.domain),
    ], asking


async def _looks(asking: Asking, reference: ImageReference, policy: Policy, limit_seconds: float) -> list[_HostLook]:
    """Look at every host."""
    agent = f"imagefit/{version('imagefit')}"
    looks = [_HostLook(HostProbe(host, reference, asking.auth, agent, limit_seconds)) for host in asking.hosts]
    try:
        with Progress(str(reference), doing="looking at") as progress:
            for look in looks:
                progress.doing(f"asking {look.probe.host.host}")
                await _ask_name(look, reference, limit_seconds)
            if resolved := _first_resolved(looks):
                for look in looks:
                    progress.doing(f"fetching from {look.probe.host.host}")
                    await _ask_content(look, resolved)
                await _ask_referrers(looks, resolved, policy)
    finally:
        for look in looks:
            await look.probe.close()
    return looks


def _first_resolved(looks: Sequence[_HostLook]) -> Resolved | None:
    """Return what imagefit takes the image's name to stand for."""
    return next((look.resolved for look in looks if look.resolved), None)


async def _ask_name(look: _HostLook, reference: ImageReference, limit_seconds: float) -> None:
    host = look.probe.host
    look.observations += await asyncio.to_thread(lambda: list(observe_files(host)))
    look.observations.append(await observe_connection(host, limit_seconds))
    if not look.answers():
        return
    look.observations.append(await look.probe.access())
    needed = {"pull"} if reference.digest else {"pull", "resolve"}
    if look.answers() and needed <= host.capabilities:
        seen, look.resolved = await look.probe.resolve()
        look.observations.append(seen)


async def _ask_content(look: _HostLook, resolved: Resolved) -> None:
    if look.answers() and "pull" in look.probe.host.capabilities:
        look.observations.append(await look.probe.content(resolved))


async def _ask_referrers(looks: Sequence[_HostLook], resolved: Resolved, policy: Policy) -> None:
    """Ask the host that imagefit would ask: nothing vouches for the answer, so it must be trusted with tags, too."""
    able = (look for look in looks if look.has_content and {"pull", "resolve"} <= look.probe.host.capabilities)
    if look := next(able, None):
        look.observations.append(await look.probe.referrers(resolved.digest, policy))


def _conclusion(looks: Sequence[_HostLook]) -> Observation:
    named = [look for look in looks if look.resolved]
    giving = next((look for look in looks if look.has_content), None)
    if not named or giving is None:
        return Observation("image", State.BROKEN, "imagefit does not get it", advice="see the steps that are broken")
    said = {look.probe.host.origin: look.resolved.digest for look in named if look.resolved}
    facts = tuple(said.items())
    if len(set(said.values())) > 1:
        first, digest = facts[0]
        what = f"the hosts do not agree what it stands for; imagefit takes what {first} says, {digest}"
        return Observation("image", State.WARNING, what, facts, "see whether a mirror is behind")
    digest = facts[0][1]
    return Observation(
        "image", State.GOOD, f"{digest}, named by {facts[0][0]}, content from {giving.probe.host.origin}"
    )
