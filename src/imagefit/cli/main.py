"""``imagefit``: the commands and their exit codes.

Knows exit codes: 0 yes, 1 no, 2 error, 3 unknown. Leaves what can be said to ``arguments`` and each command's work to a
module of its own, imported when it is called: ``serve`` must not wait for what only ``explain`` needs.
"""

import argparse
import sys
from collections.abc import Sequence
from io import TextIOWrapper

from imagefit.cli.arguments import parser, serve_parser
from imagefit.cli.parsing import Parser
from imagefit.errors import ImagefitError
from imagefit.version import VERSION

EXIT_ERROR = 2


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
    known = _parser_for(arguments)
    if not arguments:
        known.print_help()
        return 0
    options = known.parse_args(arguments)
    try:
        code = _dispatch(options)
        print(end="", flush=True)  # so that a reader who has gone shows here and not at exit
    except ImagefitError as error:
        from imagefit.cli.terminal import tell

        tell(error.message, error.advice)
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
        import traceback

        traceback.print_exc()
        return EXIT_ERROR
    return code


def _parser_for(arguments: Sequence[str]) -> Parser:
    match arguments:
        case ["serve", *_] | ["--config", _, "serve", *_]:
            return serve_parser()
        case _:
            return parser()


def _dispatch(options: argparse.Namespace) -> int:
    match options.command:
        case "serve":
            from imagefit.cli.serve import serve

            return serve(options.config, verbose=options.verbose, metrics=options.metrics, take_over=options.take_over)
        case "explain":
            return _explain(options)
        case "doctor":
            return _doctor(options)
        case "decisions":
            return _decisions(options)
        case "check" | "validate" | "schema":
            return _documents(options)
        case "node":
            from imagefit.cli.node import show_node

            return show_node(options.config, as_json=options.output == "json")
        case "install" | "uninstall" | "status":
            return _installing(options)
        case "config":
            return _config(options)
        case "completion":
            from imagefit.cli.completion import print_completion

            return print_completion(options.shell)
        case _:
            print(f"imagefit {VERSION}")
            return 0


def _explain(options: argparse.Namespace) -> int:
    from imagefit.cli.explain import Question, explain
    from imagefit.cli.registries import Person

    question = Question(
        options.image,
        options.as_name,
        options.namespace,
        options.runtime_handler,
        dict(options.annotation),
        options.config,
        options.node,
        options.referrers,
        Person(options.creds, options.plain_http),
    )
    return explain(question, options.output, all_checks=options.all_checks)


def _doctor(options: argparse.Namespace) -> int:
    from imagefit.cli.doctor.command import doctor
    from imagefit.cli.registries import Person

    person = Person(options.creds, options.plain_http)
    return doctor(options.image, options.config, person, options.output)


def _decisions(options: argparse.Namespace) -> int:
    from imagefit.cli.decisions import Shown, Wanted, decisions

    wanted = Wanted(options.image, options.result, options.reason, options.namespace, options.since, options.last)
    shown = Shown(as_json=options.output == "json", entries=options.entries)
    return decisions(options.config, wanted, shown, and_follow=options.follow)


def _documents(options: argparse.Namespace) -> int:
    from imagefit.cli.check import check, show_schema, validate

    match options.command:
        case "check":
            return check(options.file, options.config, options.node, as_json=options.output == "json")
        case "validate":
            return validate(options.files, as_json=options.output == "json")
        case _:
            return show_schema(options.dialect)


def _installing(options: argparse.Namespace) -> int:
    match options.command:
        case "status":
            from imagefit.cli.status import status

            return status(options.config, as_json=options.output == "json")
        case "install":
            from imagefit.cli.install import install

            return install(options.config, options.root, dry_run=options.dry_run)
        case _:
            from imagefit.cli.install import uninstall

            return uninstall(options.root, dry_run=options.dry_run)


def _config(options: argparse.Namespace) -> int:
    from imagefit.cli.config import check_config, show_config, show_config_schema, show_example, show_policy

    match options.action:
        case "check":
            return check_config(options.config)
        case "show":
            pod, as_json = (options.namespace, options.runtime_handler), options.output == "json"
            if options.image:
                return show_policy(options.config, options.image, *pod, as_json=as_json)
            if any(pod):
                raise ImagefitError(
                    "--namespace and --runtime-handler say whose pull of an image", advice="give --image"
                )
            return show_config(options.config, as_json=as_json)
        case "schema":
            return show_config_schema()
        case _:
            return show_example()


if __name__ == "__main__":
    run()
