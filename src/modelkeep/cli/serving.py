# SPDX-License-Identifier: Apache-2.0
"""Commands about running models: serve, predict, status."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from modelkeep.cli import show
from modelkeep.cli.parameters import Json, Name, Names, Profile
from modelkeep.cli.session import fan_out, session

Url = Annotated[str | None, typer.Option("--url", help="A server, such as http://127.0.0.1:8080.")]


def register(app: typer.Typer) -> None:
    """Hang these commands into the application."""
    for command in (serve, predict, status):
        app.command()(command)


class Fetch(StrEnum):
    """Whether serving may download."""

    NEVER = "never"
    MISSING = "missing"


def serve(
    names: Names = None,
    host: Annotated[str | None, typer.Option(help="A loopback address.")] = None,
    port: Annotated[int | None, typer.Option(help="0: a free one.")] = None,
    fetch: Annotated[Fetch, typer.Option(help="Whether absent models are fetched.")] = Fetch.NEVER,
    profile: Profile = None,
) -> None:
    """Load the models and answer over HTTP until SIGTERM or Ctrl-C."""
    from modelkeep.keep.extras import require

    require("server", "modelkeep serve")
    from modelkeep.cli.logs import listen, start_logging
    from modelkeep.keep.serving import Serving
    from modelkeep.server.app import build_app
    from modelkeep.server.run import serve as serve_app

    session.flags |= {
        key: value
        for key, value in (("server.host", host), ("server.port", port))
        if value is not None
    }
    keep = session.open(emit=fan_out([listen]))
    settings = keep.settings
    start_logging(settings.text("server.log_level"), settings.text("server.log_format"))
    grace_s = settings.seconds("runtime.shutdown_grace")
    address = settings.text("server.host")
    shown = f"[{address}]" if ":" in address else address
    with Serving(keep, names or None, fetch=fetch.value) as serving:
        serve_app(
            build_app(serving, max_body_bytes=settings.number("server.max_body")),
            host=address,
            port=settings.number("server.port"),
            grace_s=grace_s,
            on_listening=lambda real: show.say(f"listening on http://{shown}:{real}"),
        )


def predict(
    name: Name,
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", "-i", metavar="NAME=VALUE", help="JSON, else taken as text."),
    ] = None,
    files: Annotated[
        list[str] | None,
        typer.Option("--file", "-f", metavar="NAME=PATH", help="A file's bytes as an input."),
    ] = None,
    url: Url = None,
    profile: Profile = None,
    as_json: Json = False,
) -> None:
    """Ask a model: one that a server runs (--url), else loaded here for this one answer."""
    values = _read_inputs(inputs or [], files or [])
    if url:
        from modelkeep.cli.remote import ask

        answer = ask(url, f"/v1/models/{name}/predict", {"inputs": values})
    else:
        answer = _predict_here(name, values)
    if as_json:
        show.say_json(answer)
        return
    for key, value in answer["outputs"].items():
        show.say(f"{key}: {json.dumps(value, ensure_ascii=False)}")


def _predict_here(name: str, values: dict[str, Any]) -> Any:
    from modelkeep.keep.extras import require

    require("server", "modelkeep predict")
    from modelkeep.runtime.served import Answer
    from modelkeep.server.plain import parse_predict, predict_response

    keep = session.open()
    model = keep.load(name)
    try:
        outputs = model.predict(parse_predict({"inputs": values}))
        return predict_response(Answer(name, keep.version(name), outputs))
    finally:
        model.close()


def _read_inputs(inputs: list[str], files: list[str]) -> dict[str, Any]:
    from base64 import b64encode

    values: dict[str, Any] = {}
    for pair in inputs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise typer.BadParameter(f"expected NAME=VALUE; got {pair!r}", param_hint="--input")
        try:
            values[key] = json.loads(text)
        except ValueError:
            values[key] = text
    for pair in files:
        key, equals, path = pair.partition("=")
        try:
            data = Path(path).read_bytes() if path != "-" else sys.stdin.buffer.read()
        except OSError as error:
            raise typer.BadParameter(f"{path}: {error.strerror}", param_hint="--file") from error
        if not equals:
            raise typer.BadParameter(f"expected NAME=PATH; got {pair!r}", param_hint="--file")
        values[key] = {"b64": b64encode(data).decode()}
    return values


def status(url: Url = None, as_json: Json = False) -> None:
    """Show what a running server has loaded."""
    from modelkeep.cli.remote import ask

    if url is None:
        settings = session.open().settings
        host = settings.text("server.host")
        url = f"http://{f'[{host}]' if ':' in host else host}:{settings.number('server.port')}"
    found = ask(url, "/v1/models")
    if as_json:
        show.say_json(found)
        return
    show.say(f"{url}: {found['phase']}, {'ready' if found['ready'] else 'not ready'}")
    for sentence in found["missing"]:
        show.say(f"  {sentence}")
    head = (
        "MODEL",
        "STATE",
        "PRIORITY",
        "LOADER",
        "VERSION",
        "MEMORY",
        "LOADED IN",
        "ALLOWS",
        "WHY",
    )
    show.say(show.table(head, [_status_row(row) for row in found["models"]]))


def _status_row(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["name"],
        row["state"],
        row["priority"],
        row["loader"],
        row["version"],
        show.size(row["memory_bytes"]) if row["memory_bytes"] else "",
        show.duration(row["load_s"]) if row["load_s"] else "",
        show.permissions(row["allow_pickle"], row["allow_code"]),
        row["reason"],
    )
