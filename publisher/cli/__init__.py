"""The command line: one module per command, each thin."""

import importlib
import sys
from pathlib import Path
from typing import Any

import click

from publisher import __version__
from publisher.cli.context import Context
from publisher.errors import (
    ConfigError,
    NotFoundError,
    OwnerError,
    PublisherError,
    SourceError,
    StoreError,
    UnreachableError,
    UsageError,
)

COMMANDS = (
    "adopt",
    "bounces",
    "build",
    "check",
    "dkim",
    "explain",
    "doctor",
    "init",
    "issues",
    "live",
    "migrate",
    "new",
    "preview",
    "run",
    "send",
    "simulate",
    "snippet",
    "status",
    "subscribers",
    "suppressions",
    "unsubscribes",
    "worker",
)
"""Each is `publisher.cli.NAME` with a click command of that name; loaded when it is called."""

EXIT_CODES: tuple[tuple[type[PublisherError], int], ...] = (
    (ConfigError, 2),
    (UsageError, 2),
    (UnreachableError, 3),
    (SourceError, 3),
    (NotFoundError, 1),
    (OwnerError, 1),
    (StoreError, 1),
    (PublisherError, 1),
)


class _Commands(click.Group):
    """Loads a command's module only when it is needed: `publisher --help` stays fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"publisher.cli.{cmd_name}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command


def _version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(f"publisher {__version__}")
        ctx.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "-C",
    "folder",
    default=".",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="The publication (default: here).",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("-v", "--verbose", is_flag=True, help="Say more.")
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
@click.pass_context
def program(ctx: click.Context, folder: Path, as_json: bool, verbose: bool) -> None:
    """A folder of stories becomes feeds, pages and email digests."""
    ctx.obj = Context(folder=folder.resolve(), json=as_json, verbose=verbose)


def exit_code_of(error: PublisherError) -> int:
    """Returns the exit code of an error's family (contract: Commands)."""
    return next(code for family, code in EXIT_CODES if isinstance(error, family))


def main(arguments: list[str] | None = None) -> Any:
    """Runs the program and exits: 0 done, 1 problems, 2 usage or config, 3 unreachable, 130 interrupted."""
    try:
        outcome = program.main(args=_shared_first(arguments or sys.argv[1:]), standalone_mode=False)
        sys.exit(outcome if isinstance(outcome, int) else 0)
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except KeyboardInterrupt:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2 if isinstance(error, click.UsageError) else 1)
    except ConfigError as error:
        for problem in error.problems:
            click.echo(f"publisher: {problem}", err=True)
        sys.exit(2)
    except PublisherError as error:
        click.echo(f"publisher: {error}", err=True)
        sys.exit(exit_code_of(error))


def _shared_first(arguments: list[str]) -> list[str]:
    """Returns the arguments with `-C DIR`, `--json` and `-v` in front: they may stand behind the command too."""
    shared: list[str] = []
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--":
            rest += [word, *words]
        elif word in ("--json", "-v", "--verbose"):
            shared.append(word)
        elif word == "-C":
            shared += [word, next(words, "")]
        else:
            rest.append(word)
    return shared + rest
