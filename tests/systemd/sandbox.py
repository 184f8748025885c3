"""Runs a command as a unit of systemd would, without systemd: `sandbox.py UNIT CALLS FOLDER COMMAND ...`.

Knows the parts that a program can run into, put in force with the kernel's own means: capabilities, no new privileges,
no memory that is both written and run, system calls, address families, hidden processes, and a read-only system but
for one folder. Whatever system call the unit does not allow ends the process here, so that none goes unseen; the unit
itself has it fail. Leaves out what a test cannot see: limits, devices, namespaces of its own. For x86 and ARM, 64 bits.

CALLS is a file of lines "name number"; ``calls_of`` makes it. A program of its own, so it imports nothing of the tests.
"""

import ctypes
import os
import platform
import re
import struct
import subprocess
import sys
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_ALLOW, _KILL, _NO_FAMILY = 0x7FFF0000, 0x80000000, 0x00050000 | 97
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER_AT, _ARCH_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10}
_SET_SECCOMP, _FILTER, _DROP_CAPABILITY, _NO_NEW_PRIVILEGES, _SET_MDWE, _REFUSE_EXEC_GAIN = 22, 2, 24, 38, 65, 1
_NEW_MOUNTS, _PRIVATE, _BIND, _REMOUNT, _READ_ONLY, _ALL_BELOW = 0x20000, 1 << 18, 1 << 12, 1 << 5, 1, 1 << 14
_LEFT_ALONE = ("/proc", "/sys", "/dev")
_GROUPS = re.compile(r"[ \t]*(\S+)")


def settings_of(unit: Path) -> list[tuple[str, str]]:
    """Return the settings of a unit in their order, sections left out."""
    lines = (line.partition("=") for line in unit.read_text().splitlines() if not line.startswith(("#", "[")))
    return [(key, value) for key, separator, value in lines if separator]


def calls_of(unit: Path) -> dict[str, int]:
    """Return the system calls that a unit allows, with their numbers on this machine."""
    program = "#include <sys/syscall.h>"
    said = subprocess.run(("gcc", "-E", "-dM", "-"), input=program, capture_output=True, text=True, check=True).stdout
    numbers = dict(re.findall(r"^#define __NR_(\w+) (\d+)$", said, re.MULTILINE))
    allowed: set[str] = set()
    for value in (value for key, value in settings_of(unit) if key == "SystemCallFilter"):
        named = {call for group in value.removeprefix("~").split() for call in _group(group)}
        allowed = allowed - named if value.startswith("~") else allowed | named
    # systemd adds these to every list of what is allowed, see systemd.exec(5).
    allowed |= _group("@default") | {"execve", "exit", "exit_group", "rt_sigreturn"}
    return {name: int(numbers[name]) for name in sorted(allowed & set(numbers))}


def _group(name: str) -> set[str]:
    if not name.startswith("@"):
        return {name}
    said = subprocess.run(
        ("systemd-analyze", "syscall-filter", name), capture_output=True, text=True, check=True
    ).stdout
    words = [found[1] for line in said.splitlines()[1:] if (found := _GROUPS.match(line))]
    return {call for word in words if not word.startswith("#") for call in _group(word)}


def enter(unit: Path, calls: dict[str, int], folder: Path) -> None:
    """Put the settings of a unit in force for this process."""
    settings = dict(settings_of(unit))
    if settings["ProtectSystem"] != "strict" or settings["ProtectProc"] != "invisible":
        raise SystemExit("the unit has another file system than this sandbox")
    _restrict_files(folder)
    os.umask(int(settings["UMask"], 8))
    if settings["CapabilityBoundingSet"]:
        raise SystemExit("the unit has capabilities, and this sandbox knows none")
    for capability in range(int(Path("/proc/sys/kernel/cap_last_cap").read_text()) + 1):
        _call("prctl", _DROP_CAPABILITY, capability, 0, 0, 0)
    if settings["NoNewPrivileges"] == "yes":
        _call("prctl", _NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if settings["MemoryDenyWriteExecute"] == "yes":
        _LIBC.prctl(_SET_MDWE, _REFUSE_EXEC_GAIN, 0, 0, 0)  # Linux 6.3 and later; before it there is no such test
    _filter_calls(calls, settings["RestrictAddressFamilies"].split())


def _restrict_files(folder: Path) -> None:
    _call("unshare", _NEW_MOUNTS)
    _mount(None, "/", None, _PRIVATE | _ALL_BELOW)
    _mount(str(folder), str(folder), None, _BIND)
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for point in points:
        if point != str(folder) and not point.startswith(_LEFT_ALONE):
            _mount(None, point, None, _REMOUNT | _BIND | _READ_ONLY)
    _mount("proc", "/proc", "proc", 0, "hidepid=invisible")


def _filter_calls(calls: dict[str, int], families: list[str]) -> None:
    program = [(_LOAD, 0, 0, _ARCH_AT), (_EQUAL, 1, 0, _AUDIT_ARCH[platform.machine()]), (_RETURN, 0, 0, _KILL)]
    program += [(_LOAD, 0, 0, _NUMBER_AT)]
    open_socket = [(_LOAD, 0, 0, _FIRST_ARGUMENT_AT)]
    for family in families:
        open_socket += [(_EQUAL, 0, 1, _FAMILIES[family]), (_RETURN, 0, 0, _ALLOW)]
    open_socket += [(_RETURN, 0, 0, _NO_FAMILY)]
    program += [(_EQUAL, 0, len(open_socket), calls["socket"]), *open_socket]
    for number in calls.values():
        program += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ALLOW)]
    program += [(_RETURN, 0, 0, _KILL)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *one) for one in program))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(code)))
    _call("prctl", _SET_SECCOMP, _FILTER, ctypes.addressof(header), 0, 0)


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    words = (None if word is None else word.encode() for word in (source, target, kind))
    _call("mount", *words, flags, None if data is None else data.encode())


def _call(name: str, *arguments: object) -> None:
    wide = (ctypes.c_ulong(one) if isinstance(one, int) else one for one in arguments)
    if getattr(_LIBC, name)(*wide) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}{arguments}: {os.strerror(number)}")


def main() -> None:
    """Enter the sandbox and become the command."""
    unit, calls, folder, *command = sys.argv[1:]
    lines = (line.split() for line in Path(calls).read_text().splitlines())
    enter(Path(unit), {name: int(number) for name, number in lines}, Path(folder))
    os.execv(command[0], command)  # noqa: S606 - the sandbox is left by becoming the command


if __name__ == "__main__":
    main()
