# SPDX-License-Identifier: Apache-2.0
"""The command ``modelkeep``: its options, its commands, its exit codes.

0 fine, 1 the thing asked failed, 2 wrong use.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from modelkeep import __version__
from modelkeep.cli import project, serving, show, store
from modelkeep.cli.hints import hint
from modelkeep.cli.session import session
from modelkeep.spec.errors import InvalidValue, KeepError
from modelkeep.spec.settings import BY_KEY

app = typer.Typer(
    name="modelkeep",
    help="The package manager and runtime for model weights.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
project.register(app)
store.register(app)
serving.register(app)


def _tell_version(asked: bool) -> None:
    if asked:
        show.say(f"modelkeep {__version__}")
        raise typer.Exit


@app.callback()
def options(
    folder: Annotated[
        Path | None,
        typer.Option("--project", "-C", help="Folder with models.toml; default: here or above."),
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="Profile of models.toml; else MODELKEEP_PROFILE.")
    ] = None,
    home: Annotated[
        Path | None, typer.Option("--store", help="The store's folder; else MODELKEEP_HOME.")
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any setting, as `doctor` lists them."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    debug: Annotated[bool, typer.Option(help="A traceback with each error.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Options before the command hold for every command."""
    session.folder = folder
    session.profile = profile
    session.quiet = quiet
    session.debug = debug
    session.flags.update(_read_flags(values or []))
    if home is not None:
        session.flags["store.path"] = str(home)


def _read_flags(pairs: list[str]) -> dict[str, object]:
    flags: dict[str, object] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or key not in BY_KEY:
            known = ", ".join(BY_KEY)
            raise typer.BadParameter(f"expected KEY=VALUE with a key of {known}; got {pair!r}")
        try:
            BY_KEY[key].parse(value)
        except InvalidValue as error:
            raise typer.BadParameter(str(error)) from error
        flags[key] = value
    return flags


def run() -> int:
    """Run one command line; errors of ours become one line and a hint."""
    try:
        app()
    except KeepError as error:
        if session.debug:
            raise
        _tell(error)
        return 1
    except Exception as error:  # a fault of ours: still no traceback for people
        if session.debug:
            raise
        show.note(f"error: modelkeep itself failed: {type(error).__name__}: {error}")
        show.note("try: the same with `modelkeep --debug …`, and report what it prints")
        return 1
    except KeyboardInterrupt:
        show.note("interrupted; what was fetched stays, the same command goes on from there")
        return 130
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    return 0


def _tell(error: KeepError) -> None:
    try_this = hint(error)
    if session.json:
        row = {"error": str(error), "kind": type(error).__name__, "try": try_this}
        show.say_json(row)
    else:
        show.note(f"error: {error}" + (f"\ntry: {try_this}" if try_this else ""))
