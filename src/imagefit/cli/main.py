"""``imagefit``: the commands and their exit codes.

Knows arguments and exit codes: 0 yes, 1 no, 2 error, 3 unknown. Leaves each command's work to a module of its own,
imported when it is called: ``serve`` must not wait for what only ``explain`` needs.
"""

import argparse
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version
from io import TextIOWrapper
from pathlib import Path

from imagefit.errors import ImagefitError

EXIT_ERROR = 2

_EPILOG = "Exit codes: 0 yes, 1 no, 2 error, 3 unknown. Configuration: /etc/imagefit/config.toml or --config."


def run() -> None:
    """Run the command of ``sys.argv`` and exit."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # not every locale has every character
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run one command.

    Args:
        arguments: without the program's name.

    Returns:
        The exit code.
    """
    options = _parser().parse_args(arguments)
    try:
        code = _dispatch(options)
        print(end="", flush=True)  # so that a reader who has gone shows here and not at exit
    except ImagefitError as error:
        from imagefit.selection.explain import printable

        print(f"imagefit: {printable(error.message)}", file=sys.stderr)
        if error.advice:
            print(f"  {printable(error.advice)}", file=sys.stderr)
        return EXIT_ERROR
    except BrokenPipeError:
        # The reader, such as head, has seen enough; what is still buffered must not be written at exit.
        sys.stdout = None
        return 0
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        sys.stdout = None  # where it is standard output that cannot be written, it must not be tried again at exit
        print(f"imagefit: {error}", file=sys.stderr)
        return EXIT_ERROR
    except Exception:  # noqa: BLE001 - Python would exit with 1, which here means no
        traceback.print_exc()
        return EXIT_ERROR
    return code


def _dispatch(options: argparse.Namespace) -> int:
    match options.command:
        case "serve":
            from imagefit.cli.serve import serve

            return serve(options.config, verbose=options.verbose)
        case "explain":
            from imagefit.cli.explain import explain

            as_json = options.output == "json"
            return explain(options.image, options.config, options.node, as_json=as_json, referrers=options.referrers)
        case "check":
            from imagefit.cli.check import check

            return check(options.file, options.config, options.node, as_json=options.output == "json")
        case "validate":
            from imagefit.cli.check import validate

            return validate(options.files, as_json=options.output == "json")
        case "schema":
            from imagefit.cli.check import show_schema

            return show_schema(options.dialect)
        case "node":
            from imagefit.cli.node import show_node

            return show_node(options.config, as_json=options.output == "json")
        case "config":
            from imagefit.cli.serve import check_config

            return check_config(options.config)
        case _:
            print(f"imagefit {version('imagefit')}")
            return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="imagefit", description="Brings the right build of one image tag to this node.", epilog=_EPILOG
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="configuration file (before the command)")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="answer kubelet's image calls", description=_SERVE, epilog=_EPILOG)
    serve.add_argument("-v", "--verbose", action="store_true", help="log what a search for a fault needs")
    explain = commands.add_parser("explain", help="show what would be pulled, and why", description=_EXPLAIN)
    explain.add_argument("image", metavar="REF|FILE", help="an image name, a file with an index, or an OCI layout")
    explain.add_argument("--referrers", action="store_true", help="believe what only refers to the image (layouts)")
    check = commands.add_parser("check", help="judge one compatibility document", description=_CHECK, epilog=_EPILOG)
    check.add_argument("file", metavar="FILE", help="a document, or - for standard input")
    for command in (explain, check):
        command.add_argument("--node", type=Path, metavar="PROFILE", help=_NODE_OPTION)
    validate = commands.add_parser("validate", help="find the faults of compatibility documents", description=_VALIDATE)
    validate.add_argument("files", metavar="FILE", nargs="+", help="a document, or - for standard input")
    schema = commands.add_parser("schema", help="print the JSON Schema of a dialect", description=_SCHEMA)
    schema.add_argument("dialect", metavar="DIALECT", nargs="?", help="without one, the dialects are listed")
    node = commands.add_parser("node", help="show what is known of this node", description=_NODE)
    for command in (explain, check, validate, node):
        command.add_argument("-o", "--output", choices=("table", "json"), default="table", help="default: table")
    config = commands.add_parser("config", help="look at the configuration")
    config.add_subparsers(dest="action", required=True, metavar="ACTION").add_parser("check", help="find its faults")
    commands.add_parser("version", help="print the version")
    return parser


_SERVE = (
    "Listens on [server] socket and forwards to [containerd] socket, choosing at every PullImage. Stops on SIGTERM."
)
_EXPLAIN = (
    "Decides as the daemon would and shows every entry of the index. REF is looked up in its registry; "
    "FILE is read without any network: of an index the metadata inside it is judged, of an OCI image layout "
    "(FOLDER or FOLDER:NAME) all that it holds."
)
_CHECK = (
    "Judges a document of any dialect (flat sets, NFD, proposals A to G, a platform) against this node or a profile. "
    "A set that cannot be read costs itself; the exit code is 2 only where no set is left."
)
_VALIDATE = (
    "Names every fault with its place. Exit codes: 0 no fault, 1 faults, 2 a file cannot be read. "
    "'-o json' writes a list with one object per file."
)
_SCHEMA = "For an editor that completes and checks; 'imagefit validate' knows what a schema cannot say."
_NODE_OPTION = "judge for the node of this profile, or of this NodeFeature object, instead of this node"
_NODE = "Shows the facts that images are judged by. '-o json' writes a profile that 'explain --node' replays anywhere."

if __name__ == "__main__":
    run()
