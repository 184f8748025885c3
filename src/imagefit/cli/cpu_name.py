"""What py-cpuinfo calls a CPU that neither /proc/cpuinfo nor archspec names.

Knows when it is worth asking: py-cpuinfo takes a second and starts dozens of programs, so only a person who looks at
this very machine waits for it. Its words are shown and not judged by, since the daemon never has them.
"""

from collections.abc import Callable, Mapping

from imagefit.model.facts import Facts
from imagefit.node.contract import HostView

_BRAND = ("brand_raw", "hardware_raw", "arch_string_raw")


def ask_cpuinfo() -> Mapping[str, object]:
    """Return what py-cpuinfo says of the running machine. Raises ``ImportError`` where it is not installed."""
    # An extra that most nodes do not need, and fifty milliseconds.
    from cpuinfo import get_cpu_info

    return dict(get_cpu_info())


def cpu_name(facts: Facts, host: HostView, ask: Callable[[], Mapping[str, object]]) -> str:
    """Return a line on the CPU; empty where the facts name it or the host is not the running machine."""
    if host.root != "/" or facts.covers("cpu.model") or len(facts.flags.get("cpu.microarchitecture", ())) > 1:
        return ""
    try:
        said = ask()
    except ImportError:
        return "not named by its kernel (pip install 'imagefit[cpuinfo]' asks in more ways)"
    except Exception as error:  # noqa: BLE001 - it reads the output of whatever programs there are
        return f"not named, and py-cpuinfo failed: {type(error).__name__}"
    return next(
        (f"{said[key]} (py-cpuinfo; not judged by)" for key in _BRAND if said.get(key)), "not named by anything"
    )
