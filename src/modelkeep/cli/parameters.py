# SPDX-License-Identifier: Apache-2.0
"""Parameters that several commands have, so that they read alike everywhere."""

from __future__ import annotations

from typing import Annotated

import typer

from modelkeep.cli.session import session


def _use_profile(value: str | None) -> str | None:
    if value:
        session.profile = value
    return value


def _use_json(value: bool) -> bool:
    session.json = value
    return value


Names = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME]...", help="Models; default: all.")
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="A model of models.toml.")]
Json = Annotated[
    bool, typer.Option("--json", callback=_use_json, help="One JSON document on standard output.")
]
Profile = Annotated[
    str | None,
    typer.Option("--profile", callback=_use_profile, help="As before the command."),
]
