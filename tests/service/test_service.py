"""From a pull request to its outcome: what the policy makes of a decision, an error or a defect."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from builders import (
    CONFIG_MEDIA_TYPE,
    INDEX_MEDIA_TYPE,
    MANIFEST_MEDIA_TYPE,
    digest,
    entry,
    index_bytes,
    node,
    to_bytes,
)
from imagefit.cri.wire import PullRequest
from imagefit.errors import (
    ContainerdAwayError,
    ContentMissingError,
    InvalidConfigurationError,
    NotNamedError,
    RecordsError,
    RegistryDeniedError,
    RegistryUnreachableError,
    VanishedError,
)
from imagefit.model.credentials import AuthConfig
from imagefit.model.facts import Node
from imagefit.model.glob import Glob
from imagefit.model.oci import Descriptor
from imagefit.model.outcome import Outcome, PassThrough, Reason, Refuse, Rewrite
from imagefit.model.policy import (
    Condition,
    ImageRule,
    Mode,
    NoMatch,
    OnError,
    Policies,
    Policy,
    Requirement,
    Trait,
    Unknown,
)
from imagefit.model.reference import ImageReference, parse_reference
from imagefit.registry.client import Resolved
from imagefit.service import Service
from imagefit.service.metadata import MAX_METADATA_BYTES
from imagefit.service.report import Record

FITS = [{"oci.kernel.version": ">=5"}]
FAILS = [{"oci.kernel.version": "<5"}]
DEFAULT = Policy()
NODE = node(attributes={"kernel.version": {"full": "6.1.0"}})


class MemoryRegistry:
    """Content by digest, and one index behind every reference."""

    def __init__(self, *entries: Any, media_type: str = INDEX_MEDIA_TYPE) -> None:
        self.index = index_bytes(*entries)
        self.content = {digest(self.index): self.index}
        self.media_type = media_type
        self.failing: Exception | None = None
        self.asked: list[tuple[str, str]] = []
        self.seen_auth: list[AuthConfig | None] = []
        self.under_way = self.most_under_way = 0

    def put(self, content: bytes) -> dict[str, Any]:
        self.content[digest(content)] = content
        return {"digest": digest(content), "size": len(content)}

    async def resolve(self, reference: ImageReference, auth: AuthConfig | None) -> Resolved:
        self.seen_auth.append(auth)
        if self.failing:
            raise self.failing
        return Resolved(self.media_type, digest(self.index), len(self.index))

    async def fetch(
        self, reference: ImageReference, descriptor: Descriptor, auth: AuthConfig | None, *, kind: str
    ) -> bytes:
        self.seen_auth.append(auth)
        self.asked.append((kind, descriptor.digest))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0.001)
        self.under_way -= 1
        if descriptor.digest not in self.content:
            raise ContentMissingError("it is not there")
        return self.content[descriptor.digest]

    async def referrers(
        self, reference: ImageReference, digest: str, auth: AuthConfig | None, artifact_types: frozenset[str]
    ) -> bytes:
        raise AssertionError("nobody trusts referrers here")


def choose(
    registry: MemoryRegistry, policy: Policy = DEFAULT, image: str = "app:1", budget_seconds: float = 5
) -> Outcome:
    async def known() -> Node:
        return NODE

    service = Service(registry, known, Policies(replace(policy, budget_seconds=budget_seconds)))
    return asyncio.run(service.choose(PullRequest(image, AuthConfig("user", "planted"), b"")))


FITTING = (entry("plain"), entry("fits", "linux/amd64/v2", compatibilities=FITS))
UNFIT = (entry("no", compatibilities=FAILS),)
UNSURE = (entry("unsure", "linux/amd64/v2", compatibilities=[{"nobody": "knows"}]),)
PLAIN = (entry("plain"), entry("other", "linux/s390x"))
NO_SUCH_TAG = Requirement((Condition(Trait.TAG, Glob("gpu")),))

OUTCOMES = [
    pytest.param(FITTING, Policy(), Rewrite, id="the-best-is-pulled"),
    pytest.param(FITTING, Policy(mode=Mode.OBSERVE), Reason.OBSERVE, id="observe-passes-through"),
    pytest.param(FITTING, Policy(mode=Mode.OFF), Reason.OFF, id="off-passes-through"),
    pytest.param(PLAIN, Policy(), Reason.PLAIN, id="containerds-own-choice-passes-through"),
    pytest.param(UNFIT, Policy(), Refuse, id="no-match-is-refused"),
    pytest.param(UNFIT, Policy(no_match=NoMatch.PASS_THROUGH), Reason.NO_MATCH, id="no-match-may-pass-through"),
    pytest.param(UNFIT, Policy(mode=Mode.OBSERVE), Reason.NO_MATCH, id="observe-never-refuses"),
    pytest.param(UNSURE, Policy(), Rewrite, id="unknown-comes-last-but-comes"),
    pytest.param(UNSURE, Policy(unknown=Unknown.REJECT), Refuse, id="unknown-may-be-refused"),
    pytest.param(FITTING, Policy(require=(NO_SUCH_TAG,)), Refuse, id="what-lacks-a-requirement-is-no-candidate"),
]


@pytest.mark.parametrize(("entries", "policy", "expected"), OUTCOMES)
def test_what_the_policy_makes_of_a_decision(entries: Any, policy: Policy, expected: Any) -> None:
    outcome = choose(MemoryRegistry(*entries), policy)
    if isinstance(expected, Reason):
        assert isinstance(outcome, PassThrough)
        assert outcome.reason == expected
        assert outcome.why
    else:
        assert isinstance(outcome, expected)
        assert not getattr(outcome, "transient", False)


def test_off_asks_the_registry_nothing() -> None:
    registry = MemoryRegistry(*FITTING)
    choose(registry, Policy(mode=Mode.OFF))
    assert not registry.seen_auth
    choose(registry, Policy(mode=Mode.OBSERVE))
    assert registry.seen_auth


def test_a_rewrite_names_what_was_asked_the_index_and_the_choice() -> None:
    registry = MemoryRegistry(*FITTING)
    outcome = choose(registry)
    assert isinstance(outcome, Rewrite)
    assert (outcome.index_digest, outcome.chosen_digest) == (digest(registry.index), digest("fits"))
    assert outcome.chosen_name == f"docker.io/library/app@{digest('fits')}"
    assert outcome.record_names == ("docker.io/library/app:1", f"docker.io/library/app@{digest(registry.index)}")


ERRORS: list[Any] = [
    RegistryUnreachableError("away"),
    RegistryDeniedError("denied"),
    ContentMissingError("missing"),
    InvalidConfigurationError("hosts"),
    RuntimeError("a defect"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_every_error_passes_through_or_fails_as_the_operator_set(error: Exception) -> None:
    registry = MemoryRegistry(*FITTING)
    registry.failing = error
    assert isinstance(choose(registry), PassThrough)
    refused = choose(registry, Policy(on_error=OnError.FAIL))
    assert isinstance(refused, Refuse)
    assert refused.transient
    assert len(refused.message.encode()) < 1024
    assert isinstance(choose(registry, Policy(on_error=OnError.FAIL, mode=Mode.OBSERVE)), PassThrough)


def test_what_is_no_index_or_no_name_passes_through() -> None:
    manifest = choose(MemoryRegistry(media_type=MANIFEST_MEDIA_TYPE))
    assert isinstance(manifest, PassThrough)
    assert (str(manifest.reference), manifest.reason) == ("docker.io/library/app:1", Reason.NO_INDEX)
    registry = MemoryRegistry(*FITTING)
    no_name = choose(registry, image="Not A Name")
    assert isinstance(no_name, PassThrough)
    assert (no_name.reference, no_name.reason) == (None, Reason.NO_NAME)
    assert not registry.seen_auth


def test_time_beyond_the_budget_passes_through() -> None:
    class Hanging(MemoryRegistry):
        async def resolve(self, reference: ImageReference, auth: AuthConfig | None) -> Resolved:
            await asyncio.sleep(60)
            raise AssertionError

    outcome = choose(Hanging(*FITTING), budget_seconds=0.05)
    assert isinstance(outcome, PassThrough)
    assert outcome.reason == "budget-spent"


def test_a_decision_takes_at_most_a_quarter_of_its_callers_time() -> None:
    class Hanging(MemoryRegistry):
        async def resolve(self, reference: ImageReference, auth: AuthConfig | None) -> Resolved:
            await asyncio.sleep(60)
            raise AssertionError

    async def known() -> Node:
        return NODE

    async def timed() -> float:
        started = asyncio.get_running_loop().time()
        policies = Policies(Policy(budget_seconds=50))
        outcome = await Service(Hanging(), known, policies).choose(PullRequest("app:1", None, b""), 0.4)
        assert isinstance(outcome, PassThrough)
        assert outcome.reason == "budget-spent"
        return asyncio.get_running_loop().time() - started

    assert 0.09 < asyncio.run(timed()) < 5


def test_metadata_that_hangs_costs_its_own_entry_and_not_the_decision() -> None:
    hanging = {"mediaType": MANIFEST_MEDIA_TYPE, "digest": digest("hangs"), "size": 3}

    class Hanging(MemoryRegistry):
        async def fetch(self, reference: Any, descriptor: Descriptor, auth: Any, *, kind: str) -> bytes:
            if descriptor.digest == digest("hangs"):
                await asyncio.sleep(60)
            return await super().fetch(reference, descriptor, auth, kind=kind)

    registry = Hanging(entry("a", compatibilities=hanging), entry("b", "linux/amd64/v2", compatibilities=FITS))
    outcome = choose(registry, budget_seconds=1)
    assert isinstance(outcome, Rewrite)
    assert outcome.chosen_digest == digest("b")


def _proposal_i(registry: MemoryRegistry, sets: Any) -> dict[str, Any]:
    config = registry.put(to_bytes({"config": {"compatibilities": sets}}))
    manifest = registry.put(to_bytes({"config": {"mediaType": CONFIG_MEDIA_TYPE, **config}, "layers": []}))
    return {"mediaType": MANIFEST_MEDIA_TYPE, **manifest}


def _with_index(registry: MemoryRegistry, *entries: Any) -> MemoryRegistry:
    registry.index = index_bytes(*entries)
    registry.content[digest(registry.index)] = registry.index
    return registry


def test_each_piece_of_metadata_is_fetched_once_and_only_for_entries_that_may_fit() -> None:
    registry = MemoryRegistry()
    fits, unneeded = _proposal_i(registry, FITS), _proposal_i(registry, FAILS)
    entries = [entry(str(number), compatibilities=fits) for number in range(20)]
    _with_index(registry, *entries, entry("foreign", "linux/s390x", compatibilities=unneeded))
    outcome = choose(registry)
    assert isinstance(outcome, Rewrite)
    assert outcome.chosen_digest == digest("0")
    kinds = [kind for kind, _ in registry.asked]
    assert kinds == ["manifests", "manifests", "blobs"]
    assert set(registry.seen_auth) == {AuthConfig("user", "planted")}


def test_metadata_is_fetched_in_parallel_and_bounded() -> None:
    registry = MemoryRegistry()
    entries = [entry(str(n), compatibilities=_proposal_i(registry, [{"n": str(n)}])) for n in range(40)]
    choose(_with_index(registry, *entries))
    assert 2 <= registry.most_under_way <= 8


def test_metadata_that_is_not_there_costs_its_own_entry() -> None:
    registry = MemoryRegistry()
    missing = {"mediaType": MANIFEST_MEDIA_TYPE, "digest": digest("nowhere"), "size": 3}
    entries = (entry("a", compatibilities=missing), entry("b", "linux/amd64/v2", compatibilities=FITS))
    outcome = choose(_with_index(registry, *entries))
    assert isinstance(outcome, Rewrite)
    assert outcome.chosen_digest == digest("b")


def test_metadata_is_bounded_in_bytes() -> None:
    registry = MemoryRegistry()
    padding = "x" * (4 * 1024 * 1024 - 200)
    make: Callable[[int], Any] = lambda n: registry.put(  # noqa: E731
        to_bytes({"compatibilities": FITS, "annotations": {"n": str(n), "padding": padding}})
    )
    document = "application/vnd.oci.image.compatibilities.v1+json"
    entries = [entry(str(n), compatibilities={"mediaType": document, **make(n)}) for n in range(24)]
    choose(_with_index(registry, *entries))
    fetched = sum(len(registry.content[one]) for kind, one in registry.asked if kind == "blobs")
    assert fetched <= MAX_METADATA_BYTES + 8 * 4 * 1024 * 1024


def deciding(
    registry: MemoryRegistry, policies: Policies, *requests: PullRequest
) -> tuple[list[Outcome], list[Record]]:
    """Return what becomes of pulls, one after the other, and what was kept of them."""
    kept: list[Record] = []

    async def known() -> Node:
        return NODE

    async def chosen() -> list[Outcome]:
        service = Service(registry, known, policies, kept.append)
        return [await service.choose(request) for request in requests]

    return asyncio.run(chosen()), kept


def test_the_rule_of_an_image_decides_for_its_pulls_alone() -> None:
    rule = ImageRule(Policy(mode=Mode.OBSERVE, rule="[[image]] 1"), image=Glob("docker.io/library/new:*"))
    requests = (PullRequest("new:1", None, b""), PullRequest("old:1", None, b""))
    (observed, enforced), kept = deciding(MemoryRegistry(*FITTING), Policies(rules=(rule,)), *requests)
    assert isinstance(observed, PassThrough)
    assert isinstance(enforced, Rewrite)
    assert [(one["mode"], one["rule"]) for one in kept] == [("observe", "[[image]] 1"), ("enforce", "")]


def test_a_runtime_handler_brings_its_own_platforms() -> None:
    """A wasm build is for pods that run by a wasm handler, and for no others."""
    wasm = ImageRule(Policy(platforms=("wasi/wasm",)), runtime_handler=Glob("wasm*"))
    registry = MemoryRegistry(entry("wasm", "wasi/wasm"))
    requests = (PullRequest("app:1", None, b"", runtime_handler="wasmtime"), PullRequest("app:1", None, b""))
    (taken, refused), _ = deciding(registry, Policies(rules=(wasm,)), *requests)
    assert isinstance(taken, Rewrite)
    assert isinstance(refused, Refuse)


def test_a_pod_narrows_where_the_operator_allows_it() -> None:
    tagged = [{"oci.kernel.version": ">=5", "tags": "fast"}]
    registry = MemoryRegistry(entry("fast", "linux/amd64/v2", compatibilities=tagged), entry("plain"))
    pod = PullRequest("app:1", None, b"", annotations={"imagefit.dev/forbid-tag": "fast"})
    allowing = Policies(Policy(pod_annotations=frozenset(["imagefit.dev/forbid-tag"])))
    (narrowed,), _ = deciding(registry, allowing, pod)
    (as_ever,), (kept,) = deciding(registry, Policies(), pod)
    assert isinstance(narrowed, PassThrough)
    assert narrowed.reason == Reason.PLAIN
    assert isinstance(as_ever, Rewrite)
    assert as_ever.chosen_digest == digest("fast")
    assert kept["notes"] == ["imagefit.dev/forbid-tag is not allowed by the operator"]


def test_a_pull_goes_by_the_policies_that_stand_when_it_begins() -> None:
    gate = asyncio.Event()

    class Waiting(MemoryRegistry):
        async def resolve(self, reference: ImageReference, auth: AuthConfig | None) -> Resolved:
            await gate.wait()
            return await super().resolve(reference, auth)

    async def known() -> Node:
        return NODE

    async def changed() -> tuple[Outcome, Outcome]:
        service = Service(Waiting(*FITTING), known)
        before = asyncio.ensure_future(service.choose(PullRequest("app:1", None, b"")))
        await asyncio.sleep(0)
        service.policies = Policies(Policy(mode=Mode.OFF))
        gate.set()
        return await before, await service.choose(PullRequest("app:1", None, b""))

    before, after = asyncio.run(changed())
    assert isinstance(before, Rewrite)
    assert isinstance(after, PassThrough)


def test_what_a_pod_forbids_never_comes_in_as_containerds_own_choice() -> None:
    """Passed through, the pull would bring what containerd takes, which the operator's policy has excluded."""
    policy = Policy(no_match=NoMatch.PASS_THROUGH, pod_annotations=frozenset(["imagefit.dev/forbid-tag"]))
    tagged = MemoryRegistry(entry("a", compatibilities=[{"oci.kernel.version": ">=5", "tags": "fast"}]))
    pod = PullRequest("app:1", None, b"", annotations={"imagefit.dev/forbid-tag": "*"})
    (forbidden, without), _ = deciding(tagged, Policies(policy), pod, PullRequest("app:1", None, b""))
    assert isinstance(forbidden, Refuse)
    assert isinstance(without, PassThrough)


def test_a_name_that_is_none_is_told_too() -> None:
    _, (kept,) = deciding(MemoryRegistry(), Policies(), PullRequest("Not\nA Name", None, b""))
    assert (kept["reason"], kept["image"]) == ("no-name", "Not?A Name")


def test_a_defect_in_telling_costs_no_pull(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: Record) -> None:
        raise RuntimeError("planted")

    async def known() -> Node:
        return NODE

    service = Service(MemoryRegistry(*FITTING), known, None, broken)
    assert isinstance(asyncio.run(service.choose(PullRequest("app:1", None, b""))), Rewrite)
    assert "planted" in caplog.text


@pytest.mark.parametrize(("on_error", "expected"), [(OnError.PASS_THROUGH, PassThrough), (OnError.FAIL, Refuse)])
def test_a_rewrite_in_vain_ends_as_the_operator_set_for_errors(on_error: OnError, expected: type[Outcome]) -> None:
    """The record of the decision is followed by one of what came of it."""
    kept: list[Record] = []

    async def known() -> Node:
        return NODE

    async def ended() -> Outcome:
        policies = Policies(Policy(on_error=on_error))
        service = Service(MemoryRegistry(*FITTING), known, policies, kept.append)
        request = PullRequest("app:1", None, b"")
        rewrite = await service.choose(request)
        assert isinstance(rewrite, Rewrite)
        return service.records_failed(request, rewrite, RecordsError("containerd did not take them"))

    assert isinstance(asyncio.run(ended()), expected)
    assert [one["reason"] for one in kept] == ["chosen", "records"]


@pytest.mark.parametrize("on_error", list(OnError))
@pytest.mark.parametrize("error", [ContainerdAwayError("containerd: UNAVAILABLE: gone"), VanishedError("removed")])
def test_what_passes_by_itself_brings_no_other_build_in(error: NotNamedError, on_error: OnError) -> None:
    """The next pull gets what fits."""

    async def known() -> Node:
        return NODE

    service = Service(MemoryRegistry(*FITTING), known, Policies(Policy(on_error=on_error)))
    rewrite = Rewrite(parse_reference("app:1"), digest(b"index"), digest(b"entry"))
    request = PullRequest("app:1", None, b"")
    outcome = service.records_failed(request, rewrite, error)
    assert isinstance(outcome, Refuse)
    assert (outcome.reason, outcome.transient) == (error.code, True)
    assert str(error) in outcome.message


def test_no_refusal_shows_what_looks_like_a_credential() -> None:
    registry = MemoryRegistry(*FITTING)
    registry.failing = RegistryUnreachableError("https://user:hunter2pw@evil/x\x1b[31m")
    refused = choose(registry, Policy(on_error=OnError.FAIL))
    assert isinstance(refused, Refuse)
    assert "hunter2pw" not in refused.message
    assert refused.message.isprintable()


def _service(registry: MemoryRegistry, nodes: list[Node], policy: Policy = DEFAULT) -> Service:
    async def known() -> Node:
        return nodes[0]

    return Service(registry, known, Policies(policy))


def test_an_index_that_was_decided_on_is_asked_for_by_its_name_only() -> None:
    registry = MemoryRegistry(*FITTING)

    async def twice() -> list[Outcome]:
        service = _service(registry, [NODE])
        return [await service.choose(PullRequest("app:1", None, b"")) for _ in range(2)]

    first, second = asyncio.run(twice())
    assert first == second
    assert isinstance(second, Rewrite)
    assert len(registry.asked) == 1
    assert len(registry.seen_auth) == 3, "each pull resolves the name with its own credentials"


def test_a_node_that_was_looked_at_again_is_decided_for_anew() -> None:
    registry = MemoryRegistry(entry("plain"), entry("fits", "linux/amd64/v2", compatibilities=FITS))
    nodes = [NODE]

    async def twice() -> list[Outcome]:
        service = _service(registry, nodes)
        first = await service.choose(PullRequest("app:1", None, b""))
        nodes[0] = node(attributes={"kernel.version": {"full": "4.19"}})
        return [first, await service.choose(PullRequest("app:1", None, b""))]

    first, second = asyncio.run(twice())
    assert isinstance(first, Rewrite)
    assert isinstance(second, PassThrough)
    assert second.reason == Reason.PLAIN


def test_a_decision_that_needed_metadata_is_made_anew() -> None:
    registry = MemoryRegistry()
    config = registry.put(to_bytes({"config": {"compatibilities": FITS}}))
    manifest = registry.put(to_bytes({"config": config | {"mediaType": CONFIG_MEDIA_TYPE}, "layers": []}))
    compat = manifest | {"mediaType": MANIFEST_MEDIA_TYPE}
    registry.index = index_bytes(entry("plain"), entry("fits", "linux/amd64/v2", compatibilities=compat))
    registry.content[digest(registry.index)] = registry.index

    async def asked_by_each() -> list[int]:
        service = _service(registry, [NODE])
        counts = []
        for _ in range(2):
            await service.choose(PullRequest("app:1", None, b""))
            counts.append(len(registry.asked))
        return counts

    first, second = asyncio.run(asked_by_each())
    assert second == 2 * first
