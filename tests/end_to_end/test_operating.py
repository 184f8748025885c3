"""What an operator does to a running daemon, on real parts: modes, rules, pods' wishes, reloads, and where it shows."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from end_to_end.conftest import Start, failure
from harness.cri import CriClient
from harness.daemon import Daemon
from harness.images import push_image, push_index
from harness.registry import Registry

FITS = {"oci.kernel.version": ">=2.6"}
FAILS = {"oci.kernel.version": "<2.6"}

Json = dict[str, Any]


@pytest.fixture
def pushed(registry: Registry, repository: str) -> dict[str, str]:
    """An index with a build that containerd takes, and a better one with the tag ``fast``; image IDs by name."""
    plain = push_image(registry, repository, None, f"plain of {repository}")
    fast = push_image(registry, repository, None, f"fast of {repository}")
    fast["platform"]["compatibilities"] = [FITS | {"tags": "fast"}]
    push_index(registry, repository, "1", [plain, fast])
    return {"name": f"{registry.address}/{repository}:1", "plain": plain["digest"], "fast": fast["digest"]}


def decisions(daemon: Daemon) -> list[Json]:
    """Return the daemon's records, once they are written."""
    file = daemon.root / "decisions.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def until(holds: Callable[[], bool], timeout_seconds: float = 20) -> None:
    end = time.monotonic() + timeout_seconds
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def pulled(daemon: Daemon, pushed: dict[str, str], **pod: Any) -> Json:
    """Pull by tag for a pod, forget the image again, and return the record of the decision."""
    before = len(decisions(daemon))
    with CriClient(daemon.socket) as client:
        client.pull(pushed["name"], **pod)
        client.remove_image(pushed["name"])
    until(lambda: len(decisions(daemon)) > before)
    return decisions(daemon)[-1]


def test_observe_forwards_what_was_asked_and_tells_what_it_would_have_chosen(
    start: Start, pushed: dict[str, str], cri: CriClient
) -> None:
    daemon = start('[policy]\nmode = "observe"\n')
    with CriClient(daemon.socket) as client:
        observed = client.pull(pushed["name"])
    assert cri.pull(pushed["name"]) == observed  # what containerd takes without imagefit, not what was chosen
    until(lambda: bool(decisions(daemon)))
    (record,) = decisions(daemon)
    assert (record["result"], record["reason"], record["mode"]) == ("pass-through", "observe", "observe")
    assert record["chosen"]["digest"] == pushed["fast"]
    assert "event=decision" in daemon.log_text()


RULES = """
[policy]
mode = "off"
[[image]]
match = "{name}"
namespace = "team-*"
mode = "enforce"
prefer = [{{tag = "fast", weight = 5}}]
pod-annotations = ["imagefit.dev/forbid-tag", "imagefit.dev/mode"]
"""
POD_CASES = [
    pytest.param({}, ("off", None), id="another-namespace"),
    pytest.param({"namespace": "team-a"}, ("chosen", "fast"), id="the-rules-namespace"),
    pytest.param(
        {"namespace": "team-a", "annotations": {"imagefit.dev/forbid-tag": "fast"}}, ("chosen", "plain"), id="forbidden"
    ),
    pytest.param(
        {"namespace": "team-a", "annotations": {"imagefit.dev/mode": "off"}}, ("off", None), id="switched-off"
    ),
    pytest.param(
        {"namespace": "team-a", "annotations": {"imagefit.dev/prefer-tag": "x"}}, ("chosen", "fast"), id="not-allowed"
    ),
    pytest.param({"annotations": {"imagefit.dev/mode": "enforce"}}, ("off", None), id="a-pod-never-widens"),
]


@pytest.mark.parametrize(("pod", "expected"), POD_CASES)
def test_a_rule_and_a_pod_decide_together(
    start: Start, pushed: dict[str, str], pod: Json, expected: tuple[str, str | None]
) -> None:
    record = pulled(start(RULES.format(name=pushed["name"])), pushed, **pod)
    chosen = record["chosen"] and next(name for name, digest in pushed.items() if digest == record["chosen"]["digest"])
    assert (record["reason"], chosen) == expected


def test_a_wasm_build_is_pulled_for_a_wasm_handler_only(
    start: Start, registry: Registry, repository: str, cri: CriClient
) -> None:
    """Left alone containerd would never take it; kubelet finds it under its tag all the same."""
    daemon = start(
        '[[image]]\nruntime-handler = "wasm*"\nplatforms = ["wasi/wasm"]\nprefer = [{platform = "wasi/*"}]\n'
    )
    plain = push_image(registry, repository, None, f"plain of {repository}")
    wasm = push_image(registry, repository, None, f"wasm of {repository}")
    wasm["platform"] = {"os": "wasi", "architecture": "wasm"}
    push_index(registry, repository, "1", [plain, wasm])
    name = f"{registry.address}/{repository}:1"
    with CriClient(daemon.socket) as client:
        by_handler = client.pull(name, runtime_handler="wasmtime")
        status = cri.image_status(name)
        assert status is not None
        assert status.id == by_handler
        client.remove_image(name)
        assert client.pull(name) != by_handler
    until(lambda: len(decisions(daemon)) == 2)
    assert next(one["chosen"]["platform"] for one in decisions(daemon)) == "wasi/wasm"


def test_a_changed_configuration_takes_effect_without_dropping_a_call(start: Start, pushed: dict[str, str]) -> None:
    """Callers go on all the while; a broken file changes nothing."""
    daemon = start()
    ended = threading.Event()
    faults: list[BaseException] = []
    calls = [0] * 4

    def call(number: int) -> None:
        with CriClient(daemon.socket) as client:
            while not ended.is_set():
                try:
                    client.list_images()
                    calls[number] += 1
                except grpc.RpcError as error:  # what is asserted on
                    faults.append(error)

    callers = [threading.Thread(target=call, args=(number,)) for number in range(4)]
    for caller in callers:
        caller.start()
    try:
        for number, (text, expected) in enumerate(
            [('mode = "observe"', "observe"), ('mode = "obsrve"', "observe"), ('mode = "off"', "off"), ("", "chosen")]
        ):
            before = daemon.log_text().count("event=configuration-")
            daemon.configure(f"[policy]\n{text}\n")
            until(lambda before=before: daemon.log_text().count("event=configuration-") > before)  # type: ignore[misc]
            assert pulled(daemon, pushed)["reason"] == expected, number
    finally:
        ended.set()
        for caller in callers:
            caller.join(20)
    assert not faults
    assert all(calls)
    assert daemon.log_text().count("event=configuration-refused") == 1


def test_a_refusal_names_label_demand_node_and_rule(start: Start, registry: Registry, repository: str) -> None:
    """The pod's event alone tells why each build lost."""
    daemon = start('[[image]]\nmatch = "*/*"\nrequire = [{tag = "gpu"}]\n')
    entries = [push_image(registry, repository, None, f"{word} of {repository}") for word in ("old", "untagged")]
    entries[0]["platform"]["compatibilities"] = [FAILS]
    push_index(registry, repository, "1", entries)
    with CriClient(daemon.socket) as client:
        ended = failure(client, f"{registry.address}/{repository}:1")
    assert isinstance(ended, tuple)
    code, message = ended
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    for words in ("oci.kernel.version <2.6: kernel.version full is ", "tag gpu", "[[image]] 1"):
        assert words in message
    until(lambda: bool(decisions(daemon)))
    assert decisions(daemon)[0]["why"] == message
