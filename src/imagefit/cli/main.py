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
        from imagefit.cli.terminal import printable

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

            return explain(options.image, options.config, options.node, as_json=options.output == "json")
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
    explain.add_argument("image", metavar="REF|FILE", help="an image name, or a file with an image index")
    explain.add_argument("--node", type=Path, metavar="FILE", help="judge for this node profile instead of this node")
    node = commands.add_parser("node", help="show what is known of this node", description=_NODE)
    for command in (explain, node):
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
    "FILE is read without any network, and only the metadata inside it is judged."
)
_NODE = "Shows the facts that images are judged by. '-o json' writes a profile that 'explain --node' replays anywhere."

if __name__ == "__main__":
    run()
