"""Writes the reference pages and JSON Schemas that are generated: ``make docs``, or ``python docs/generate.py``."""

import argparse
import ast
import json
from collections.abc import Iterable, Iterator
from inspect import cleandoc
from pathlib import Path

from imagefit.cli.arguments import parser
from imagefit.config.example import SAMPLES, example
from imagefit.config.keys import Key, Kind, tables_of
from imagefit.config.schema import config_schema
from imagefit.config.settings import Config
from imagefit.config.writing import format_value
from imagefit.formats.schemas import SCHEMAS, schema_of
from imagefit.model.facts import NFD_FEATURES
from imagefit.node.contract import Detector
from imagefit.node.detectors import DETECTORS
from imagefit.node.reference import FEATURES, Described
from imagefit.telemetry import LEVELS, PARTS
from imagefit.telemetry.metrics import METRICS
from imagefit.telemetry.recorders import Label, Metric

REFERENCE = Path(__file__).parent / "reference"
SOURCES = Path(__file__).parents[1] / "src/imagefit"
PACKAGED = Path(__file__).parents[1] / "src/imagefit/schemas"
CONFIG_SCHEMA = Path(__file__).parents[1] / "src/imagefit/config/config.schema.json"
EXAMPLE = Path(__file__).parents[1] / "examples/config.toml"
MAN_PAGE = Path(__file__).parent / "man/imagefit.1"
COMPLETIONS = {"bash": "imagefit.bash", "zsh": "_imagefit"}
COMPLETIONS_FOLDER = Path(__file__).parents[1] / "src/imagefit/completions"

_HEAD = """\
<!-- Written by `make docs` from the detectors; edit src/imagefit/node/reference.py and docs/generate.py instead. -->

# What imagefit knows of a node

`imagefit node` shows the facts of this node and why others are not known; `imagefit node -o json` writes them as a
profile. A feature has one of three shapes, as in Node Feature Discovery (NFD): *flags* are names, *attributes* are
names with a value, *instances* are devices with attributes each. All values are texts.

A feature that is listed, even as `none`, was looked for: what it does not name is known not to be there. Of a feature
that is not listed nothing is known, and a need that asks for it is *unknown*, never *no*.

Files below `/proc`, `/sys`, `/etc`, `/boot`, `/lib` and `/usr` are read, no program is run; NVIDIA's library is asked
where there is its driver. With `[node] root` all of them are read below that folder. Facts are looked for at the
start and, at a pull, again once they are a minute old. A detector that takes longer than two seconds is given up, and
its features are not known until it comes back.

## Features
"""

_TAIL = """\
## Stating facts

`/etc/imagefit/facts.d/*.toml` are read in the order of their names; of a value that is stated twice the later one
stands, and all stand over what was detected. Numbers stay as they are written: `4.10` is not `4.1`.

```toml
[facts]                                  # free facts: a label of the same name asks for them
"com.example.licensed" = true            # a text, a number or a boolean
"org.supercontainers.mpi.version" = "4.1.5"

[attributes."system.site"]               # elements of any feature
rack = 12

[flags]                                  # flags of any feature
"site.queue" = ["gpu", "long"]

[[instances."example.fpga"]]             # one more instance of any feature
vendor = "10ee"
```

A file with a fault is left out whole. So is one that is larger than 64 KiB, that does not belong to root, or that its
group or others can write: it steers what root pulls. `imagefit node` names each file that is left out, and the daemon
logs it. At most 256 files are read. Of a feature that no
detector knows, a file states all there is; of one that a detector could not look at, only what it names.

## NFD's feature files

`/etc/kubernetes/node-feature-discovery/features.d/` is read as NFD's `local` source reads it: lines `name=value` or
`name` (`true`), comments, `# +expiry-time=2030-07-28T11:22:33Z` (until the next such line), `# +no-feature` and
`# +no-label` (for the next line). Hidden files are skipped; at most 256 files of at most 64 KiB are read. A bad line
is left out and named, and so is a whole file that does not belong to root or that its group or others can write; NFD
looks at neither, and takes a line with a value and no name as a feature with an empty name.

## Plug-ins

A package adds a detector by an entry point of the group `imagefit.detectors`, and the operator names it in the
configuration:

```toml
[node]
detectors = ["site"]
```

```toml
[project.entry-points."imagefit.detectors"]      # in the package's pyproject.toml
site = "site_facts:SiteDetector"
```

The entry point is a class (or function) that is called without arguments and returns an object with `features`, a
tuple of feature names, and `detect(host)`, which returns `imagefit.model.facts.Facts` or raises
`imagefit.node.contract.CannotLookError`; `host` is an `imagefit.node.contract.HostView`. One that cannot be imported
or breaks costs only its own facts. What the operator states stands over what it finds.
"""


_CONFIG_HEAD = """\
<!-- Written by `make docs` from the tables of src/imagefit/config; edit those and docs/generate.py instead. -->

# The configuration

imagefit reads `/etc/imagefit/config.toml`, and then `/etc/imagefit/config.d/*.toml` in the order of their names; none
of them need be there. With `--config FILE` it is that file, which must be there, and the folder of its name with `.d`
for `.toml`.

| command | what it does |
|---|---|
| `imagefit config check` | names every fault with file, line, key and nearest known name, and rules without effect |
| `imagefit config show` | shows every value that holds, and the file and line that it comes from |
| `imagefit config show --image NAME --namespace NS` | shows the policy of one pull, and by which rule |
| `imagefit config schema` | prints a JSON Schema for editors |
| `imagefit config example` | prints an [annotated example](../../examples/config.toml) |

## Keys

*Restart* marks what takes effect only after a restart; all else does within a second of a change.
"""

_CONFIG_TAIL = """\
## How files merge

Tables merge key by key: of a key that two files give, the value of the later one stands, whole (a list, too). Arrays
of tables (`[[image]]`, `[[prefer]]`, `[[require]]`) add up in the order of the files, and in each file in the order
in which they are written. What is a table in one file and an array in another is a fault.

A file may have 256 KiB and the folder 64 files; names that begin with a dot, and
those that do not end in `.toml`, are not read. Symbolic links are followed, as Kubernetes mounts a ConfigMap. What is
no regular file is refused, and so is, if root reads it, a file that does not belong to root or that its group or
others can write: it steers what root pulls.

## Which rule is for a pull

A rule (`[[image]]`) is for a pull if each of `match`, `namespace` and `runtime-handler` that it gives matches; it
gives at least one. The first rule that is for a pull decides, all files together; what it does not give is as
`[policy]`, `[ranking]`, `[[prefer]]` and `[[require]]` say. Its own `prefer`, `require` and `ranking` replace those,
they do not add.

`match` sees full names: `docker.io/library/nginx:1.27`, never `nginx`; `host/path@sha256:…` for pulls by digest. In
patterns `*` stands for any characters, `/` too, and `?` for one; all else stands for itself, and case counts.
`imagefit config check` and the log warn of a `match` that no name can meet, and of a rule behind one that takes all
that it takes.

kubelet tells the runtime handler of a pull only with its feature gate `RuntimeClassInImageCriApi` (alpha since
Kubernetes 1.29, off by default). Without it the handler is empty in every pull, and `runtime-handler = "wasm*"` is for
none. Two handlers on one node share each tag: containerd has one record of it, and the last pull stands.

A pod may change the policy of its own pull by those annotations that `pod-annotations` names; by default that is none:

| annotation | value | what it does |
|---|---|---|
| `imagefit.dev/prefer-tag` | patterns for tags, separated by commas | entries with such a tag gain the weight 1 |
| `imagefit.dev/forbid-tag` | the same | entries with such a tag are no candidates |
| `imagefit.dev/mode` | `off` | the pull is passed on without a look |

All preferred tags together weigh 1, however many of them an entry has. Where forbidden tags leave no candidate the pull
is refused, whatever `no-match` says. These two only narrow what the operator set; `imagefit.dev/mode` lets a pod have
what containerd would choose: `require` and `no-match` do not hold for that pull either, so name it only where pods may
do that.

## What a condition matches

Of a `[[prefer]]` or `[[require]]` all conditions must be met by one entry, and with `runtime-handler` it is only for
pulls with that one.

| condition | is met by an entry |
|---|---|
| `annotation` (with `value`) | that says so of itself: an annotation of that name (and value) |
| `label` (with `value`) | that asks for that label (and that value of it), and this node has it |
| `tag` | with that tag on a set that holds on this node |
| `feature` | that asks for that CPU feature in any spelling, and this node has it; or with that `os.features` |
| `variant` | whose platform is of that variant (`v1` for a plain `amd64`) |
| `platform` | whose platform in the index is `os/architecture` or `os/architecture/variant` |

Where the metadata of an entry lists several sets, all that hold count; where none is known to hold, all that may.

## How entries are ranked

`[ranking] order` has the criteria, most important first:

| criterion | what is better |
|---|---|
| `tier` | fits; then may fit. What does not fit, or lacks what is required, is no candidate. Always the first |
| `preference` | the larger sum of the weights of those `[[prefer]]` that the entry meets |
| `score` | the larger score or weight that its author gives the set that holds |
| `cpu` | the deeper level of the CPU that it is made for |
| `specificity` | more checks that hold |
| `position` | the earlier place in the index. Always the last |

## Changes while it runs

A change of any of these files is seen by itself and takes effect within a second; SIGHUP has them read at once. Calls
under way end as they began. A configuration with a fault is refused, logged and counted, and the one before stays in
force; `imagefit_config_ok` is 0 until it is mended. Of a change that needs a restart the log says so.
"""


def facts_page() -> str:
    """Return ``reference/facts.md``."""
    return "\n".join((_HEAD, *_features(), "", "## Detectors", "", *_detectors(), "", _TAIL))


def config_page() -> str:
    """Return ``reference/config.md``."""
    return "\n".join((_CONFIG_HEAD, *_config_tables(), _CONFIG_TAIL))


def _config_tables() -> Iterator[str]:
    for path, key, own in tables_of(Config):
        name = ".".join(path)
        yield f"### `[[{name}]]`\n" if key.kind.is_tables else f"### `[{name}]`\n"
        yield f"{key.about}\n"
        keys = [_config_key(one) for one in own.values() if one.kind.table is None or one.kind.is_tables]
        yield from ("| key | type | default | what it means |", "|---|---|---|---|", *keys) if keys else ()
        yield f"\n```toml\n{SAMPLES[name]}```\n" if name in SAMPLES else ""


def _config_key(key: Key) -> str:
    default = "" if key.default is None else f"`{format_value(key.default)}`"
    restart = " *Restart.*" if key.needs_restart else ""
    return f"| `{key.name}` | {_type(key.kind)} | {default} | {key.about}{restart} |"


def _type(kind: Kind) -> str:
    if kind.choices:
        return ", ".join(f"`{format_value(choice)}`" for choice in kind.choices)
    if kind.item is not None and kind.item.table is None:
        return f"list of: {_type(kind.item)}"
    return kind.words


def _features() -> Iterator[str]:
    detectors = {feature: detector.name for detector in DETECTORS for feature in detector.features}
    yield "| feature | shape | what it is | elements | example | detector |"
    yield "|---|---|---|---|---|---|"
    for feature in sorted(detectors):
        yield _feature(feature, FEATURES.get(feature, _UNDESCRIBED), detectors[feature])


_UNDESCRIBED = Described("attributes", "", "")


def _feature(feature: str, described: Described, detector: str) -> str:
    own = "" if feature in NFD_FEATURES else " (not in NFD)"
    elements = ", ".join(f"`{element}`" for element in described.elements) or "as found"
    example = f"`{described.example}`"
    return f"| `{feature}`{own} | {described.shape} | {described.about} | {elements} | {example} | {detector} |"


def _detectors() -> Iterator[str]:
    yield "| detector | what it finds |"
    yield "|---|---|"
    for detector in DETECTORS:
        yield f"| {detector.name} | {_doc(detector)} |"


def _doc(detector: Detector) -> str:
    return " ".join(cleandoc(type(detector).__doc__ or "").replace("``", "`").split())


def man_page() -> str:
    """Return ``man/imagefit.1``."""
    from argparse_manpage.manpage import Manpage  # a tool of developers, as is shtab

    page = Manpage(parser(), format="single-commands-section")
    page.description = "brings the right build of one image tag to every Kubernetes node"
    page.date, page.source, page.manual = "", "imagefit", "imagefit"
    page.parser.epilog = ""
    for heading, content in _MAN_SECTIONS.items():
        page.add_section(heading, ">", content)
    return str(page)


def completion(shell: str) -> str:
    """Return what completes imagefit in ``bash`` or ``zsh``."""
    import shtab

    top = parser()
    parsers: list[argparse.ArgumentParser] = [top]
    while parsers:
        one = parsers.pop()
        parsers.extend(getattr(one, "known", {}).values())
        for action in one._actions:  # noqa: SLF001 - shtab's own way to say what an argument is
            if {"FILE", "PROFILE"} & set(str(action.metavar).split("|")):
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    return shtab.complete(top, shell)


_MAN_SECTIONS = {
    "exit status": """\
.TP
.B 0
Yes: something that fits is chosen, a document holds, there is no fault.
.TP
.B 1
No.
.TP
.B 2
An error; standard error says which, and what there is to do about it.
.TP
.B 3
It is not known.""",
    "environment": """\
.TP
.B NO_COLOR
No colours, on a terminal either.
.TP
.B COLUMNS
How wide tables are.
.TP
.BR HTTP_PROXY ", " HTTPS_PROXY ", " NO_PROXY
How registries are reached.
.TP
.BR REGISTRY_AUTH_FILE ", " DOCKER_CONFIG
Where a person's credentials are: a file, or the folder of a
.IR config.json ;
without them
.IR ~/.docker .""",
    "files": """\
.TP
.I /etc/imagefit/config.toml
The configuration, and
.I /etc/imagefit/config.d/*.toml
after it.
.TP
.I /etc/imagefit/facts.d/*.toml
What the operator states of this node.
.TP
.I /var/lib/imagefit/decisions.jsonl
The latest decisions.
.TP
.I /var/cache/imagefit
Metadata by its digest.
.TP
.I ~/.docker/config.json
Credentials that docker login saved, and the helpers that have them; for explain and doctor.""",
    "examples": """\
.nf
imagefit explain registry.example.org/team/solver:1.0
imagefit explain index.json \\-\\-node other-node.json \\-\\-all-checks
imagefit doctor registry.example.org/team/solver:1.0 \\-\\-creds robot
imagefit decisions \\-\\-result refuse \\-\\-since 1h
imagefit check compatibility.yaml
imagefit node \\-o json > this-node.json
imagefit config check
.fi""",
}


_METRICS_HEAD = """\
<!-- Written by `make docs` from src/imagefit/telemetry/metrics.py; edit that and docs/generate.py instead. -->

# Metrics and health

`[metrics] listen` says where they are served over HTTP: a loopback address such as `127.0.0.1:9477`, or `unix:` and a
path, whose socket is for root and its group. `imagefit serve` alone serves none; the systemd unit does, on
`127.0.0.1:9477`.

| path | answer |
|---|---|
| `/metrics` | all metrics, in Prometheus's text format or, where the request asks for it, OpenMetrics |
| `/healthz` | 200 as long as the process turns |
| `/readyz` | 200 where pulls can be answered, else 503 and one line that says what is missing |

Anything else is 404, and other methods than GET and HEAD are 405. At most 16 connections are served at a time, each for
one request and at most ten seconds. The gRPC health service (`grpc.health.v1.Health`) answers `Check` and `Watch` on
imagefit's own socket: service `imagefit`, or none, is imagefit; any other is containerd's to answer.

Labels are bounded: a label whose values are listed says nothing else but `other`; one that has a number keeps that many
values apart and says `other` for the rest. Of one metric, at most 2,000 sets of labels are kept. Image names are a
label only with `[metrics] images = true`. The metrics of the process (`process_…`) are there too.

Where all sets of labels are known they are there from the start, at 0, so that an alert sees the first event; those of
`imagefit_decisions_total` as long as image names are no label.

`examples/prometheus/` has alert rules and a Grafana dashboard.

## Metrics
"""


def metrics_page() -> str:
    """Return ``reference/metrics.md``."""
    rows = (_metric(metric) for metric in METRICS)
    return "\n".join((_METRICS_HEAD, "| metric | type | labels | what it says |", "|---|---|---|---|", *rows, ""))


def _metric(metric: Metric) -> str:
    labels = "; ".join(map(_label, metric.labels)) or "none"
    buckets = f" Buckets: {', '.join(f'{bound:g}' for bound in metric.buckets)} s." if metric.buckets else ""
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.about}{buckets} |"


def _label(label: Label) -> str:
    said = ", ".join(f"`{value}`" for value in label.values)
    more = f"{'at most ' if not said else 'and others, at most '}{label.most:,}" if label.most else ""
    wanted = " (if wanted)" if label.is_image else ""
    return f"`{label.name}`{wanted}: {', '.join(filter(None, (said, more)))}"


_LOGS_HEAD = """\
<!-- Written by `make docs` from the events in src/imagefit; edit docs/generate.py instead. -->

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
_EVENTS = {
    "background-work-failed": "Detection, reloading or following containerd's access ended by an error; pulls go on.",
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
    "hosts-ignored": "A part of containerd's hosts configuration could not be used.",
    "key-left-out": "A file that should hold a trusted key cannot be used; logged once until it changes.",
    "listening": "The socket takes calls.",
    "message": "A library's own event, with its name and its text.",
    "metrics-not-served": "The address for metrics could not be had; pulls are served all the same.",
    "node": "The node has been looked at for the first time.",
    "pull-not-read": "Not even the name can be read in a request for a pull; it was forwarded as it is.",
    "record-lingers": "containerd kept a name that only a chosen pull brought in: one name too many, no more.",
    "records-failed": "containerd did not take or not show the names of a chosen image; it is pulled as asked instead.",
    "registry-request": "One request to a registry.",
    "restart-needed": "A changed configuration changes what is only read at the start.",
    "rule-without-effect": "No pull can reach a rule of the configuration that was taken; at most 20 are named.",
    "socket-access": "The owner or mode of containerd's socket could not be copied.",
    "spans-not-recorded": "Tracing is wanted and cannot be had; pulls are served all the same.",
    "stopped": "The process ends.",
    "stopping": "No new calls are taken; those under way may end.",
    "undo-failed": "A name could not be put back; the plain pull that follows writes it anew.",
}
# Where the code names an event by a variable: all that it can be.
_PASSED_ON = {("node/source.py", "event"): ("detector-failed", "facts-left-out")}
_LEVEL_OF = {"failure": "error"}


def logs_page() -> str:
    """Return ``reference/logs.md``."""
    levels, parts = (", ".join(f"`{one}`" for one in names) for names in (LEVELS, PARTS))
    rows = sorted((*_merged(logged_events()), *_OTHER_EVENTS))
    written = (f"| `{event}` | {part} | {level} | {fields} | {_EVENTS[event]} |" for event, part, level, fields in rows)
    return _LOGS_HEAD.format(levels=levels, parts=parts) + "\n".join(written) + "\n" + _LOGS_TAIL


_OTHER_EVENTS = (
    ("crash", "daemon", "error", "`error`"),
    ("message", "library", "as it says", "`logger`, `message`"),
)


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
    for path in sorted(SOURCES.rglob("*.py")):
        tree = ast.parse(path.read_text())
        part = part_of(tree, path.name)
        for node in ast.walk(tree) if part else ():
            match node:
                case ast.Call(ast.Attribute(ast.Name("log"), level), [ast.Constant(str(event)), *_], fields):
                    yield event, part, _LEVEL_OF.get(level, level), _fields(level, fields)
                case ast.Call(ast.Attribute(ast.Name("log"), level), [ast.Name(name), *_], fields):
                    for event in _PASSED_ON[str(path.relative_to(SOURCES)), name]:
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


if __name__ == "__main__":
    (REFERENCE / "facts.md").write_text(facts_page())
    (REFERENCE / "metrics.md").write_text(metrics_page())
    (REFERENCE / "logs.md").write_text(logs_page())
    (REFERENCE / "config.md").write_text(config_page())
    CONFIG_SCHEMA.write_text(json.dumps(config_schema(), indent=2) + "\n")
    EXAMPLE.write_text(example())
    MAN_PAGE.write_text(man_page())
    for shell, name in COMPLETIONS.items():
        (COMPLETIONS_FOLDER / name).write_text(completion(shell))
    for dialect in SCHEMAS:
        (PACKAGED / f"{dialect}.schema.json").write_text(json.dumps(schema_of(dialect), indent=2) + "\n")
