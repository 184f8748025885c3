"""`make demo`: one tag, five builds, the right one pulled and run, on a real registry and a real containerd.

Everything stands in a temporary folder and is gone at the end. Run it with ``make demo``.
"""

import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc

from harness.containerd import Containerd
from harness.cri import CriClient
from harness.daemon import Daemon
from harness.images import compatibility_descriptor_i, push_image, push_index, push_pause
from harness.registry import Registry
from imagefit.cli.main import main as imagefit
from imagefit.model.facts import Node
from imagefit.model.ranges import parse_version
from imagefit.node.collect import collect
from imagefit.node.contract import HostView

REPOSITORY = "demo/solver"
Json = dict[str, Any]


def main() -> int:
    """Run the demo; the exit status says whether everything came out as told."""
    with ExitStack() as stack:
        folder = stack.enter_context(_temporary_folder())
        step("Starting a registry and a containerd in a temporary folder")
        registry = stack.enter_context(Registry(folder / "r"))
        containerd = stack.enter_context(Containerd(folder / "c", sandbox_image=push_pause(registry)))
        daemon = stack.enter_context(Daemon(folder / "d", containerd.socket))
        say(f"containerd  {containerd.socket}")
        say(f"imagefit    {daemon.socket}")
        say(f"registry    {registry.address}")
        direct = stack.enter_context(CriClient(containerd.socket))
        through = stack.enter_context(CriClient(daemon.socket))
        node = collect(HostView()).node
        ran = _choose_and_run(registry, daemon, direct, through, node)
        refused = _be_refused(registry, through)
    step("In one sentence")
    say(f"Of five builds under one tag {ran}; {refused}.")
    return 0


def _choose_and_run(registry: Registry, daemon: Daemon, direct: CriClient, through: CriClient, node: Node) -> str:
    name = f"{registry.address}/{REPOSITORY}:1.0"
    step(f"Pushing {REPOSITORY}:1.0, one tag with five builds")
    fits, sets = _sets_of(node), [_sets_of(node) | {"oci.compatibility-score": "10", "tags": "this-node"}]
    say("one of them needs what this node has: " + ", ".join(f"{label} {value}" for label, value in fits.items()))
    push_index(registry, REPOSITORY, "1.0", _five_builds(registry, sets))

    step("imagefit explain: what would be pulled, and why")
    code = imagefit(["--config", str(daemon.config_file), "explain", name])
    check(code == 0, f"explain exited with {code}")

    step("Pulling the tag, first as containerd alone does, then through imagefit")
    for who, cri in (("containerd alone", direct), ("through imagefit", through)):
        cri.pull(name)
        says = _run(direct, name)
        say(f"{who}: a container of the tag says “{says}”")
        if cri is direct:
            cri.remove_image(name)

    step("The images, as each socket lists them")
    for who, cri in (("containerd", direct), ("imagefit", through)):
        for image in cri.list_images():
            if any(REPOSITORY in tag for tag in image.repo_tags):
                say(f"{who:11} {image.repo_tags[0]}  {image.id[:19]}  {image.size} bytes")
                say(f"{'':11} {image.repo_digests[0]}")
    check(says == "I am the build made for this node", f"the container said {says!r}")
    return f"imagefit chose the one whose needs this node meets, and its container ran and said “{says}”"


def _be_refused(registry: Registry, through: CriClient) -> str:
    step("A pull that cannot work is refused before a layer is fetched")
    entries = [
        _build(registry, "needs a kernel of the past", compatibilities=[{"oci.kernel.version": "<2.6"}]),
        _build(registry, "needs a device", compatibilities=[{"oci.pci.devices": "ffff.ffff,"}]),
        push_image(registry, REPOSITORY, None, "another architecture", architecture="s390x"),
    ]
    push_index(registry, REPOSITORY, "impossible", entries)
    try:
        through.pull(f"{registry.address}/{REPOSITORY}:impossible")
    except grpc.RpcError as error:
        say(f"{error.code().name}:")
        for part in (error.details() or "").split("; "):
            say(f"  {part}")
        check(error.code() is grpc.StatusCode.FAILED_PRECONDITION, "the code is another")
        return "an image that no build fits was refused with its reasons"
    check(False, "the pull was not refused")
    return ""


def _five_builds(registry: Registry, sets: list[Json]) -> list[Json]:
    foreign = {"x86_64": "arm64"}.get(platform.machine(), "amd64")
    needs_too_much = [{"oci.kernel.version": ">=2.6", "oci.pci.devices": "ffff.ffff,", "oci.compatibility-score": 99}]
    descriptor = compatibility_descriptor_i
    return [
        _build(registry, "the plain build"),
        _build(registry, "the v3 build", variant="v3"),
        _build(registry, "the build made for this node", compatibilities=descriptor(registry, REPOSITORY, sets)),
        _build(registry, "the build for other nodes", compatibilities=descriptor(registry, REPOSITORY, needs_too_much)),
        push_image(registry, REPOSITORY, None, "I am the foreign build", architecture=foreign),
    ]


def _build(registry: Registry, text: str, variant: str = "", **in_platform: object) -> Json:
    entry = push_image(registry, REPOSITORY, None, f"I am {text}", variant=variant)
    entry["platform"] |= in_platform
    return entry


def _sets_of(node: Node) -> Json:
    """Return labels that this very node satisfies, from its own facts."""
    kernel = parse_version(node.facts.attributes["kernel.version"]["full"])
    major = kernel.release[0] if kernel else 2
    labels: Json = {"oci.kernel.version": f"[{major}, {major + 1})"}
    if vendor := node.facts.attributes.get("cpu.model", {}).get("vendor_id"):
        labels["oci.cpu.vendor"] = vendor
    if flags := sorted(node.facts.flags.get("cpu.cpuid", ())):
        labels["oci.cpu.features"] = ",".join(flags[:2]) + ","
    if glibc := node.facts.attributes.get("system.libc", {}).get("glibc"):
        labels["oci.os.glibc"] = f">={glibc}"
    return labels


def _run(cri: CriClient, name: str) -> str:
    pod = cri.run_pod("demo")
    try:
        return cri.run_container(pod, name).text.strip()
    finally:
        cri.remove_pod(pod.id)


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="imagefit-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def step(text: str) -> None:
    """Begin a part of the demo."""
    print(f"\n== {text}", flush=True)


def say(text: str) -> None:
    """Tell one thing."""
    print(f"   {text}", flush=True)


def check(holds: bool, otherwise: str) -> None:
    """End the demo where something is not as told."""
    if not holds:
        sys.exit(f"the demo failed: {otherwise}")


if __name__ == "__main__":
    sys.exit(main())
