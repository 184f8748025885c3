"""``reference/logs.md``: every event that is logged, found in the sources.

Knows what each event means, and how a module logs one. Leaves to ``imagefit.telemetry`` how a line is written.
"""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from docs.generators.places import PACKAGE, REFERENCE
from imagefit.telemetry import LEVELS, PARTS

_LOGS_HEAD = """\
<!-- Written by `make docs` from the events in src/imagefit; edit docs/generators instead. -->

# The log

One line per event to standard error, which systemd keeps in the journal: `journalctl -u imagefit`. `[log] format` is
`logfmt` (`name=value`, in quotes where it needs them, a value's own values as `name.key=value`) or `json` (one object
per line, numbers stay numbers). Every line begins with these:

| field | what it says |
|---|---|
| `time` | when, in UTC to the millisecond (RFC 3339); not in the journal, which has its own |
| `level` | {levels} |
| `part` | which part speaks: {parts}; `library` where it is one that imagefit uses |
| `event` | what happened, from the table below |

In the journal each line has its priority (`journalctl -p warning -u imagefit`). `[log] level` is the least level that
is written, `[log.levels]` the same for single parts; both are taken on a reload. Values are cut at 2,048 characters and
characters that do not print are escaped, so that no value forges a line. What looks like a credential is written as
`REDACTED`.

## Events

Fields come behind those above, in this order. `error` says what went wrong and, in brackets, what can be done about it;
an event of level `error` is a defect of imagefit and has a `traceback` too.

| event | part | level | fields | when |
|---|---|---|---|---|
"""

_LOGS_TAIL = """
## The fields of a decision

Those that have something to say; `imagefit decisions` has the same and all entries of the index.

| field | what it says |
|---|---|
| `image` | the reference, as containerd would write it |
| `result` | `rewrite`: the chosen entry is pulled, as containerd's own choice is not surely this one; \
`pass-through`: as asked; `refuse` |
| `reason` | a word for it, or the code of the error that kept imagefit from deciding |
| `why` | the same in a sentence |
| `index` | digest of the index |
| `chosen`, `position`, `platform` | the chosen entry: its digest, its place in the index (from 0), what it is for |
| `mode` | where it is not `enforce` |
| `rule` | the `[[image]]` rule that the policy comes from, by its number among all (from 1) |
| `namespace` | of the pod |
| `notes` | what of the pod's annotations was not taken, and why |
| `trace` | ID of the trace that kubelet sent |
| `ms`, `resolve_ms`, `index_ms`, `node_ms`, `metadata_ms`, `judge_ms` | milliseconds in all, and of each step |
"""

# What each event means.
EVENTS = {
    "background-work-failed": "Detection, reloading or following containerd's access ended by an error; pulls go on.",
    "call-shed": "Calls were turned away because `most` of their kind were under way; how many since the last line.",
    "cache-failed": "The disk refused the cache of metadata; it was fetched instead.",
    "configuration-refused": "A changed configuration has a fault; the old one stays.",
    "configuration-taken": "A changed configuration is in use.",
    "crash": "An error that nobody caught ends the process or a thread.",
    "decision": "What becomes of a pull; a warning where an error kept imagefit from deciding.",
    "decisions-kept-again": "The file of decisions can be written again; so many are lost.",
    "decisions-not-kept": "The disk refuses the file of decisions; pulls go on.",
    "defect": "An error that nobody expected: a pull goes as the policy says for errors, a configuration is refused.",
    "detection-failed": "The node could not be looked at.",
    "detector-failed": "A detector broke or took too long; logged once until it changes.",
    "facts-left-out": "A part of what the operator states could not be used; logged once until it changes.",
    "healing-put-off": "containerd does not answer; what a crash may have left is looked for at the next pull.",
    "handed-over": "Another imagefit has taken the socket over; calls under way end here, and then the process.",
    "hosts-ignored": "A part of containerd's hosts configuration could not be used.",
    "key-left-out": "A file that should hold a trusted key cannot be used; logged once until it changes.",
    "listening": "The socket takes calls.",
    "mark-left-out": "A file among the marks cannot be read or is none; it is left alone.",
    "marks-failed": "The disk refuses the marks of pulls under way; what a crash leaves then may stay. Logged once.",
    "manager-not-told": "systemd could not be told that the daemon is ready or alive; logged once.",
    "message": "A library's own event, with its name and its text.",
    "metrics-not-served": "The address for metrics is not free; it is tried each second, and pulls are served.",
    "node": "The node has been looked at for the first time.",
    "pull-not-read": "Not even the name can be read in a request for a pull; it was forwarded as it is.",
    "pulled-again": "Somebody removed a chosen image before it had its names; the pull is sent again, at most twice.",
    "record-lingers": "containerd kept a name that only a chosen pull brought in: one name too many, no more.",
    "records-failed": "containerd did not take or not show the names of a chosen image; it is pulled as asked instead.",
    "registry-request": "One request to a registry.",
    "restart-needed": "A changed configuration changes what is only read at the start.",
    "rule-without-effect": "No pull can reach a rule of the configuration that was taken; at most 20 are named.",
    "socket-access": "The owner or mode of containerd's socket could not be copied.",
    "socket-not-restored": "The socket's path could not be put back; tried four times a second, logged once.",
    "socket-restored": "The socket's path was gone, or led elsewhere, and was put back.",
    "spans-not-recorded": "Tracing is wanted and cannot be had; pulls are served all the same.",
    "start-failed": "What the daemon does besides forwarding could not be started; the process ends.",
    "start-put-off": "Several starts in a row ended badly; this one waits before it does anything.",
    "stopped": "The process ends.",
    "stopping": "No new calls are taken; those under way may end.",
    "undo-failed": "A name could not be put back; the plain pull that follows writes it anew.",
}
# Where the code names an event by a variable: all that it can be.
_PASSED_ON = {("node/source.py", "event"): ("detector-failed", "facts-left-out")}
_LEVEL_OF = {"failure": "error"}
_OTHER_EVENTS = (
    ("crash", "daemon", "error", "`error`"),
    ("message", "library", "as it says", "`logger`, `message`"),
)


def files() -> dict[Path, str]:
    """Return the page."""
    return {REFERENCE / "logs.md": logs_page()}


def logs_page() -> str:
    """Return ``reference/logs.md``."""
    levels, parts = (", ".join(f"`{one}`" for one in names) for names in (LEVELS, PARTS))
    rows = sorted((*_merged(logged_events()), *_OTHER_EVENTS))
    written = (f"| `{event}` | {part} | {level} | {fields} | {EVENTS[event]} |" for event, part, level, fields in rows)
    return _LOGS_HEAD.format(levels=levels, parts=parts) + "\n".join(written) + "\n" + _LOGS_TAIL


def _merged(events: Iterable[tuple[str, str, str, str]]) -> Iterator[tuple[str, str, str, str]]:
    """Yield each event of a part once, with all levels and fields that it is logged with."""
    told: dict[tuple[str, str], tuple[dict[str, None], dict[str, None]]] = {}
    for event, part, level, fields in events:
        levels, names = told.setdefault((event, part), ({}, {}))
        levels[level] = None
        names |= dict.fromkeys(fields.split(", "))
    for (event, part), (levels, names) in told.items():
        yield event, part, ", ".join(levels), ", ".join(names)


def logged_events() -> Iterator[tuple[str, str, str, str]]:
    """Yield event, part, level and fields of every call that logs one."""
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text())
        part = part_of(tree, path.name)
        for node in ast.walk(tree) if part else ():
            match node:
                case ast.Call(ast.Attribute(ast.Name("log"), level), [ast.Constant(str(event)), *_], fields):
                    yield event, part, _LEVEL_OF.get(level, level), _fields(level, fields)
                case ast.Call(ast.Attribute(ast.Name("log"), level), [ast.Name(name), *_], fields):
                    for event in _PASSED_ON[str(path.relative_to(PACKAGE)), name]:
                        yield event, part, level, _fields(level, fields)


def part_of(tree: ast.Module, name: str) -> str:
    """Return the part of imagefit that a module speaks as; empty for none.

    Raises:
        ValueError: it calls its speaker something else than ``log``, so that its events would not be found.
    """
    speakers = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _is_part(node.func)]
    parts = list(filter(None, map(_part, tree.body)))
    if len(parts) != len(speakers) or len(parts) > 1:
        raise ValueError(f"{name}: what telemetry.part returns is called log, once, at the top of the module")
    return parts[0] if parts else ""


def _is_part(function: ast.expr) -> bool:
    match function:
        case ast.Attribute(ast.Name("telemetry"), "part") | ast.Name("part"):
            return True
    return False


def _part(statement: ast.stmt) -> str:
    match statement:
        case ast.Assign([ast.Name("log")], ast.Call(function, [ast.Constant(str(part))])) if _is_part(function):
            return part
    return ""


def _fields(level: str, keywords: list[ast.keyword]) -> str:
    named = [f"`{one.arg}`" if one.arg else "below" for one in keywords]
    return ", ".join([*named, "`error`"] if level == "failure" else named) or "none"
