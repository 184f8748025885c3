"""Confidential computing: SGX, TDX and SEV on amd64, Secure Execution on s390x, from /sys and /proc/cpuinfo.

Knows which files stand for what NFD asks the CPU itself: a kernel shows ``sgx`` only where firmware switched it on, and
``sgx_total_bytes`` since 5.17. Left out: SGX under a kernel that is older than 5.11 or built without it, where no
container could use it either, and the version of the TDX module, which NFD 0.18 does not have.
Implements NFD ``source/cpu/security_amd64.go`` and ``security_s390x.go``; of other machines nothing is said.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Final

from imagefit.model.facts import Attributes, Facts
from imagefit.node.contract import CPUINFO, CPUINFO_FIRST_BYTES, CannotLookError, HostView, NotThereError
from imagefit.node.cpuinfo import first_cpu
from imagefit.node.sysfs import VALUE_MAX_BYTES, is_there, list_devices

FEATURE: Final = "cpu.security"

_TRUE: Final = "true"
# Resource, the switch of KVM that stands for it, and NFD's names of both; the last is how many guests can be protected.
_RESOURCES: Final = (
    ("tdx", "/sys/module/kvm_intel/parameters/tdx", "tdx.enabled", "tdx.total_keys"),
    ("sev", "/sys/module/kvm_amd/parameters/sev", "sev.enabled", "sev.asids"),
    ("sev_es", "/sys/module/kvm_amd/parameters/sev_es", "sev.es.enabled", "sev.encrypted_state_ids"),
    ("sev_snp", "/sys/module/kvm_amd/parameters/sev_snp", "sev.snp.enabled", ""),
)
_ON: Final = ("1", "Y")
_MODULES: Final = "/sys/module"
# Of cgroup v2 and v1.
_CAPACITIES: Final = ("/sys/fs/cgroup/misc.capacity", "/sys/fs/cgroup/misc/misc.capacity")
_CAPACITY: Final = re.compile(r"^(\w+) (\d+)$", re.ASCII | re.MULTILINE)
_NODES: Final = "/sys/devices/system/node"
_NODES_ABOVE: Final = "/sys/devices/system"
_SGX_BYTES: Final = "x86/sgx_total_bytes"
_FIRMWARE: Final = "/sys/firmware"
_SECURE_EXECUTION: Final = "/sys/firmware/uv/prot_virt_host"


class SecurityDetector:
    """NFD's elements, such as ``sev.snp.enabled``: ``true`` or left out, and how much of it there is."""

    name = "cpu-security"
    features = (FEATURE,)

    def detect(self, host: HostView) -> Facts:
        """Read what the machine's kernel shows. Raises ``CannotLookError``."""
        match host.machine:
            case "":
                raise CannotLookError("nothing tells what machine this is")
            case "x86_64":
                return Facts(attributes={FEATURE: _amd64(host)})
            case "s390x":
                return Facts(attributes={FEATURE: _s390x(host)})
            case _:
                return Facts(attributes={FEATURE: {}})


def _amd64(host: HostView) -> Attributes:
    cpu = first_cpu(host.read_start(CPUINFO, CPUINFO_FIRST_BYTES).decode("utf-8", "replace"))
    flags = frozenset(cpu.get("flags", "").split())
    enabled = frozenset(_enabled(host))
    capacity = parse_capacity(_capacity(host)) if enabled else {}
    return describe(flags, tuple(_sgx_bytes(host)) if "sgx" in flags else (), enabled, capacity)


def _enabled(host: HostView) -> Iterator[str]:
    if not host.exists(_MODULES):
        raise NotThereError(f"{_MODULES} is not there")
    for resource, switch, _, _ in _RESOURCES:
        with suppress(NotThereError):
            if host.read_text(switch, VALUE_MAX_BYTES).startswith(_ON):
                yield resource


def _capacity(host: HostView) -> str:
    for path in _CAPACITIES:
        with suppress(CannotLookError):
            return host.read_text(path, VALUE_MAX_BYTES)
    return ""


def _sgx_bytes(host: HostView) -> Iterator[int]:
    for node in list_devices(host, _NODES, _NODES_ABOVE):
        with suppress(NotThereError, ValueError):
            yield int(host.read_text(f"{_NODES}/{node}/{_SGX_BYTES}", VALUE_MAX_BYTES))


def _s390x(host: HostView) -> Attributes:
    on = is_there(host, _SECURE_EXECUTION, _FIRMWARE) and host.read_text(_SECURE_EXECUTION, VALUE_MAX_BYTES)
    return {"se.enabled": _TRUE} if on and on.strip() == "1" else {}


def parse_capacity(text: str) -> Mapping[str, str]:
    """Read misc.capacity: a resource and its number per line, such as ``sev_es 99``."""
    return dict(_CAPACITY.findall(text))


def describe(
    flags: AbstractSet[str], sgx_bytes: Iterable[int], enabled: AbstractSet[str], capacity: Mapping[str, str]
) -> Attributes:
    """Return the elements of an amd64 machine.

    Args:
        flags: the CPU's, as /proc/cpuinfo shows them.
        sgx_bytes: protected memory of each memory node; none where an older kernel does not tell.
        enabled: ``tdx``, ``sev``, ``sev_es`` and ``sev_snp``, as far as KVM has them switched on.
        capacity: resource → how many guests can have it.
    """
    elements: dict[str, str] = {}
    for resource, _, switched_on, counted in _RESOURCES:
        if resource in enabled:
            elements[switched_on] = _TRUE
            if counted and resource in capacity:
                elements[counted] = capacity[resource]
    if "tdx_guest" in flags:
        elements["tdx.protected"] = _TRUE
    return {**elements, **(_sgx(tuple(sgx_bytes)) if "sgx" in flags else {})}


def _sgx(sizes: tuple[int, ...]) -> Attributes:
    if not sizes:
        return {"sgx.enabled": _TRUE}
    return {"sgx.enabled": _TRUE, "sgx.epc": str(sum(sizes))} if sum(sizes) > 0 else {}
