"""``reference/config.md``, its JSON Schema and the annotated example: every key of the configuration.

Knows how the page reads. Leaves to ``imagefit.config`` what each key is.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from docs.generators.places import PACKAGE, REFERENCE, ROOT
from imagefit.config.example import SAMPLES, example
from imagefit.config.keys import Key, Kind, tables_of
from imagefit.config.schema import config_schema
from imagefit.config.settings import Config
from imagefit.config.writing import format_value

_CONFIG_HEAD = """\
<!-- Written by `make docs` from the tables of src/imagefit/config; edit those and docs/generators instead. -->

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


def files() -> dict[Path, str]:
    """Return the page, the schema that the package ships, and the example."""
    return {
        REFERENCE / "config.md": config_page(),
        PACKAGE / "config/config.schema.json": json.dumps(config_schema(), indent=2) + "\n",
        ROOT / "examples/config.toml": example(),
    }


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
