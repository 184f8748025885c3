"""The commands, their options and their help.

Knows what can be said on the command line. Leaves to ``parsing`` how commands and their help are made, and what is done
to the commands. The man page and the shell completions are generated from here.
"""

import argparse
import re
from pathlib import Path
from typing import Any, Final

from imagefit.cli.parsing import Command, Parser

_DIALECTS: Final = (
    *("annotations", "compatibility-spec", "features", "flat-sets", "groups", "namespaces", "nfd", "platform"),
    "relations",
)
_RESULTS: Final = ("rewrite", "pass-through", "refuse")

_MAIN: Final = "Brings the right build of one image tag to this node. Exit codes: 0 yes, 1 no, 2 error, 3 unknown."
_SERVE: Final = (
    "Listens on [server] socket and forwards to [containerd] socket, choosing at every PullImage. Stops on SIGTERM, "
    "reads its configuration anew on SIGHUP and when the files change."
)
_EXPLAIN: Final = (
    "Shows what the daemon would decide, entries (from 0) by rank (from 1). Exit codes: 0 the chosen entry fits, 3 it "
    "may fit, 1 none is chosen, 2 error."
)
_EXPLAINED: Final = "example:\n  imagefit explain registry.example.org/team/solver:1.0 --namespace batch"
_DOCTOR: Final = (
    "Looks at each step between an image's name and its content: configuration, hosts, certificates, credentials and "
    "what each host answers. Exit codes: 0 imagefit gets the image, 2 not."
)
_DOCTORED: Final = """\
examples:
  imagefit doctor registry.example.org/team/solver:1.0
  imagefit doctor registry.example.org/team/solver:1.0 --creds robot"""
_DECISIONS: Final = (
    "Shows the daemon's latest decisions, the newest last, from [decisions] file. IMAGE is a part of an image's name, "
    "or a pattern for all of it with * and ?."
)
_DECIDED: Final = """\
examples:
  imagefit decisions --reason no-match --since 1h
  imagefit decisions '*/team/solver:*' --entries
  imagefit decisions --follow -o json | jq .why"""
_CHECK: Final = (
    "Judges a document of any dialect (flat sets, NFD, proposals A to G, a platform) against this node or a profile. "
    "A set that cannot be read costs itself; it is an error only where no set is left."
)
_CHECKED: Final = """\
Exit codes: 0 it holds, 1 it does not, 2 error, 3 it is not known.
example:
  imagefit check compatibility.yaml --node other-node.json"""
_VALIDATE: Final = (
    "Names every fault with its place. Exit codes: 0 no fault, 1 faults, 2 a file cannot be read. "
    "'-o json' writes a list with one object per file."
)
_VALIDATED: Final = "example:\n  imagefit validate *.yaml"
_SCHEMA: Final = "For an editor that completes and checks; 'imagefit validate' knows what a schema cannot say."
_SCHEMA_SHOWN: Final = "example:\n  imagefit schema nfd > nfd.schema.json"
_NODE: Final = "Shows the facts that images are judged by. '-o json' writes a profile that 'explain --node' replays."
_NODE_SHOWN: Final = "example:\n  imagefit node -o json > this-node.json"
_CONFIG: Final = "The configuration: /etc/imagefit/config.toml, then config.d/*.toml beside it in the order of names."
_CONFIG_CHECK: Final = (
    "Names every fault with its file, line and key, and warns of rules that no pull can reach. Exit codes: 0 good, "
    "2 not."
)
_CONFIG_SHOW: Final = (
    "Shows every value that holds, and which line of which file it is from; for an image what the first [[image]] "
    "rule that matches makes of it."
)
_CONFIG_SHOWN: Final = """\
examples:
  imagefit config show
  imagefit config show --image registry.example.org/team/solver:1.0"""
_INSTALL: Final = (
    "Has kubelet ask imagefit for images: finds its settings (kubeadm, k3s, RKE2, by hand), shows the change as a "
    "diff, keeps what was there, makes it. Restarts nothing: it prints the commands that are left to run."
)
_INSTALLED: Final = "example:\n  imagefit install --dry-run"
_UNINSTALL: Final = (
    "Puts back what 'imagefit install' changed, byte for byte; a file that was changed since only loses the line of "
    "imagefit. Restarts nothing."
)
_UNINSTALLED: Final = "example:\n  imagefit uninstall --dry-run"
_STATUS: Final = (
    "Looks whether kubelet really goes through imagefit: socket, settings, start, connection. "
    "Exit codes: 0 it does, 1 not, 2 error, 3 not known."
)
_STATUS_SHOWN: Final = "example:\n  imagefit status -o json | jq .goesThrough"
_COMPLETION: Final = "Prints what makes a shell complete imagefit's commands and options."
_COMPLETED: Final = """\
examples:
  imagefit completion bash > /usr/share/bash-completion/completions/imagefit
  imagefit completion zsh > /usr/local/share/zsh/site-functions/_imagefit"""
_ACTION: Final = "[--config FILE] ACTION"
_ONE_IMAGE: Final = "[OPTION ...] REF|FILE|FOLDER[:NAME]"
_REFERENCE: Final = "[OPTION ...] REF"
_SOME_IMAGES: Final = "[OPTION ...] [IMAGE]"
_METRICS_OPTION: Final = "where metrics are served if [metrics] listen does not say, such as 127.0.0.1:9477"
_CREDS_OPTION: Final = "shown to every host that serves the image (-: stdin)"
_NODE_OPTION: Final = "judge for this profile or NodeFeature object"


class _Pairs(argparse.Action):
    """Collects ``KEY=VALUE``, each key once: of two values only one could hold."""

    def __call__(
        self,
        _parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,  # noqa: ANN401 - argparse's own signature
        _option: str | None = None,
    ) -> None:
        """Take one pair."""
        key, value = values
        given = getattr(namespace, self.dest)
        if key in given:
            raise argparse.ArgumentError(self, f"{key!r} is given twice")
        setattr(namespace, self.dest, {**given, key: value})


def parser() -> Parser:
    """Return the parser of the whole command line."""
    top = _top()
    _add_serve(top)
    _add_explain(top.add(Command("explain", "show what would be pulled, and why", _EXPLAIN, _EXPLAINED, _ONE_IMAGE)))
    _add_doctor(top.add(Command("doctor", "show where a registry fails", _DOCTOR, _DOCTORED, _REFERENCE)))
    _add_decisions(top.add(Command("decisions", "show what the daemon decided", _DECISIONS, _DECIDED, _SOME_IMAGES)))
    _add_documents(top)
    _add_output(top.add(Command("node", "show what is known of this node", _NODE, _NODE_SHOWN)), "table", "json")
    _add_installing(top)
    _add_configuration(top.add(Command("config", "look at the configuration", _CONFIG, operands=_ACTION)))
    completion = top.add(Command("completion", "complete commands in a shell", _COMPLETION, _COMPLETED, "bash|zsh"))
    completion.add_argument("shell", metavar="SHELL", choices=("bash", "zsh"), help="bash or zsh")
    top.add(Command("version", "print the version", "Prints the version."))
    return top


def serve_parser() -> Parser:
    """Return the parser of command lines whose command is ``serve``: the others take longer to make than to parse."""
    top = _top()
    _add_serve(top)
    return top


def _top() -> Parser:
    top = Parser(**Command("", "", _MAIN, operands="[--config FILE] COMMAND ...").settings())
    top.add_argument("--config", type=Path, metavar="FILE", help="in place of /etc/imagefit/config.toml")
    top.start("command")
    return top


def _add_output(to: Parser, *forms: str) -> None:
    first, *others = forms
    about = f"{', '.join((f'{first} (default)', *others[:-1]))} or {others[-1]}"
    to.add_argument("-o", "--output", metavar="FORMAT", choices=forms, default=first, help=about)


def _add_serve(top: Parser) -> None:
    serve = top.add(Command("serve", "answer kubelet's image calls", _SERVE))
    serve.add_argument("-v", "--verbose", action="store_true", help="log from level debug, whatever [log] says")
    serve.add_argument("--metrics", metavar="ADDRESS", default="", help=_METRICS_OPTION)
    serve.add_argument("--take-over", action="store_true", help="take the socket over from the imagefit that has it")


def _add_explain(explain: Parser) -> None:
    explain.add_argument("image", metavar="REF|FILE", help="name looked up in its registry, index, or OCI layout")
    explain.add_argument("--all-checks", action="store_true", help="show every check of every entry")
    explain.add_argument("--namespace", metavar="NS", default="", help="the pod's namespace")
    explain.add_argument("--runtime-handler", metavar="NAME", default="", help="the pod's runtime handler")
    explain.add_argument(
        "--annotation", metavar="KEY=VALUE", type=_pair, action=_Pairs, default={}, help="of the pod; may be repeated"
    )
    explain.add_argument("--as", dest="as_name", metavar="REF", default="", help="what a FILE is called in a registry")
    explain.add_argument("--referrers", action="store_true", help="believe what only refers to the image")
    explain.add_argument("--node", type=Path, metavar="PROFILE", help=_NODE_OPTION)
    _add_person(explain)
    _add_output(explain, "table", "json", "yaml")


def _add_doctor(doctor: Parser) -> None:
    doctor.add_argument("image", metavar="REF", help="an image name")
    _add_person(doctor)
    _add_output(doctor, "table", "json")


def _add_person(to: Parser) -> None:
    """Add what a person says of how registries are asked."""
    to.add_argument("--creds", metavar="USER[:PW]", help=_CREDS_OPTION)
    to.add_argument("--plain-http", action="store_true", help="the registry speaks HTTP")


def _add_decisions(decisions: Parser) -> None:
    decisions.add_argument("image", metavar="IMAGE", nargs="?", default="", help="only decisions on these images")
    decisions.add_argument(
        "--result", metavar="RESULT", choices=_RESULTS, default="", help="only these: rewrite, pass-through or refuse"
    )
    decisions.add_argument("--reason", metavar="REASON", default="", help="only these, such as no-match or observe")
    decisions.add_argument("--namespace", metavar="NS", default="", help="only for pods of this namespace")
    decisions.add_argument("--since", metavar="TIME", type=_seconds, help="only later ones, such as 90s, 1h, 2d")
    decisions.add_argument("-n", "--last", metavar="N", type=_count, default=20, help="how many (default: 20)")
    decisions.add_argument("-f", "--follow", action="store_true", help="go on with new ones, until Ctrl-C")
    decisions.add_argument("--entries", action="store_true", help="show the entries of each index, too")
    _add_output(decisions, "table", "json")


def _add_documents(top: Parser) -> None:
    check = top.add(Command("check", "judge one compatibility document", _CHECK, _CHECKED, "[OPTION ...] FILE"))
    check.add_argument("file", metavar="FILE", help="a document, or - for standard input")
    check.add_argument("--node", type=Path, metavar="PROFILE", help=_NODE_OPTION)
    validate = top.add(
        Command("validate", "find the faults of documents", _VALIDATE, _VALIDATED, "[OPTION ...] FILE ...")
    )
    validate.add_argument("files", metavar="FILE", nargs="+", help="a document, or - for standard input")
    for command in (check, validate):
        _add_output(command, "table", "json")
    schema = top.add(Command("schema", "print the JSON Schema of a dialect", _SCHEMA, _SCHEMA_SHOWN, "[DIALECT]"))
    schema.add_argument(
        "dialect", metavar="DIALECT", nargs="?", choices=_DIALECTS, help="without one, the dialects are listed"
    )


def _add_installing(top: Parser) -> None:
    for command in (
        Command("install", "have kubelet ask imagefit", _INSTALL, _INSTALLED),
        Command("uninstall", "put back what install changed", _UNINSTALL, _UNINSTALLED),
    ):
        added = top.add(command)
        added.add_argument("--dry-run", action="store_true", help="only show what would be done")
        added.add_argument("--root", type=Path, metavar="FOLDER", default=Path("/"), help="of another node's files")
    _add_output(
        top.add(Command("status", "show whether kubelet goes through imagefit", _STATUS, _STATUS_SHOWN)),
        "table",
        "json",
    )


def _add_configuration(config: Parser) -> None:
    config.start("action")
    config.add(Command("config check", "find its faults", _CONFIG_CHECK))
    show = config.add(Command("config show", "show what holds, and where it is from", _CONFIG_SHOW, _CONFIG_SHOWN))
    show.add_argument("--image", metavar="REF", default="", help="show what holds for pulls of this image")
    show.add_argument("--namespace", metavar="NS", default="", help="by pods of this namespace (with --image)")
    show.add_argument(
        "--runtime-handler", metavar="NAME", default="", help="and of this runtime handler (with --image)"
    )
    _add_output(show, "toml", "json")
    config.add(Command("config schema", "print its JSON Schema", "Prints a schema for editors that know JSON Schema."))
    config.add(Command("config example", "print an annotated example", "Prints every key with its default."))


def _seconds(text: str) -> float:
    """Return a span of time such as ``90s``, ``5m``, ``1h`` or ``2d`` in seconds."""
    found = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 90s, 5m, 1h or 2d")
    return int(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]]


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", text) or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def _pair(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not key or not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value
