"""``reference/facts.md``: what a node is asked, and who answers.

Knows how the page reads. Leaves to ``imagefit.node.reference`` what each feature is, and to the detectors what they say
of themselves.
"""

from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path

from docs.generators.places import REFERENCE
from imagefit.model.facts import NFD_FEATURES
from imagefit.node.contract import Detector
from imagefit.node.detectors import DETECTORS
from imagefit.node.reference import FEATURES, Described

_HEAD = """\
<!-- Written by `make docs` from the detectors; edit src/imagefit/node/reference.py and docs/generators instead. -->

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


def files() -> dict[Path, str]:
    """Return the page."""
    return {REFERENCE / "facts.md": facts_page()}


def facts_page() -> str:
    """Return ``reference/facts.md``."""
    return "\n".join((_HEAD, *_features(), "", "## Detectors", "", *_detectors(), "", _TAIL))


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
