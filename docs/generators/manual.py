"""The manual page and the shells' completions: the command line as it is.

Knows what the manual says beyond it: exit codes, environment, files, examples. Leaves to ``imagefit.cli.arguments``
what the commands are.
"""

import argparse
from pathlib import Path

from docs.generators.places import DOCS, PACKAGE
from imagefit.cli.arguments import parser

MAN_PAGE = DOCS / "man/imagefit.1"
_COMPLETIONS = {"bash": "imagefit.bash", "zsh": "_imagefit"}
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
.I /var/lib/imagefit/install
What install changed, for uninstall.
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
imagefit install \\-\\-dry-run
imagefit config check
.fi""",
}


def files() -> dict[Path, str]:
    """Return the manual page and the completions that the package ships."""
    completions = {PACKAGE / f"completions/{name}": completion(shell) for shell, name in _COMPLETIONS.items()}
    return {MAN_PAGE: man_page(), **completions}


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
