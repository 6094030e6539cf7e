# SPDX-License-Identifier: Apache-2.0
"""Commands about the store: info, verify, doctor."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from modelkeep.cli import show
from modelkeep.cli.parameters import Json, Names, Profile
from modelkeep.cli.session import session


def register(app: typer.Typer) -> None:
    """Hang these commands into the application."""
    for command in (info, verify, doctor):
        app.command()(command)


def info(as_json: Json = False) -> None:
    """Tell what the store holds, whichever project brought it."""
    report = session.open().info()
    if as_json:
        show.say_json(report)
        return
    if not report.exists:
        show.say(f"store {report.path}: empty")
        return
    total = f"{show.count(report.blobs, 'blob')}, {show.size(report.size_bytes)}"
    show.say(f"store {report.path}: {total}; {show.size(report.saved_bytes)} saved by sharing")
    if report.loose_bytes:
        show.say(f"{show.size(report.loose_bytes)} belong to no complete model yet")
    rows = [
        (
            ", ".join(sorted({came.name for came in model.came})) or "?",
            model.identity.hex[:12],
            show.size(model.size_bytes),
            str(model.files),
            show.size(model.shared_bytes) if model.shared_bytes else "",
            "complete" if model.complete else "incomplete",
            " ".join(
                sorted({f"{came.source} {came.revision[:12]}".strip() for came in model.came})
            ),
        )
        for model in report.models
    ]
    head = ("MODEL", "IDENTITY", "SIZE", "FILES", "SHARED", "STATE", "CAME FROM")
    if rows:
        show.say(show.table(head, rows))
    for identity in report.damaged_manifests:
        show.note(f"damaged manifest: {identity}; try: modelkeep doctor")


def verify(
    names: Names = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Fetch what is damaged or missing again.")
    ] = False,
    profile: Profile = None,
    as_json: Json = False,
) -> None:
    """Read every byte again and compare it with its digest."""
    with session.with_progress() as keep:
        report = keep.verify(names or None, repair=repair)
    if as_json:
        show.say_json(report)
    else:
        for fault in report.faults:
            show.note(f"{fault.state}: {', '.join(fault.models)}: {fault.path} ({fault.digest})")
        for identity in report.damaged_manifests:
            show.note(f"damaged manifest: {identity}")
        read = f"{show.count(report.files, 'file')}, {show.size(report.size_bytes)}"
        faults = show.count(len(report.faults) + len(report.damaged_manifests), "fault")
        found = "all as locked" if report.all_well else faults
        mended = "; repaired" if repair and not report.all_well else ""
        show.say(f"verified {read} in {show.duration(report.wall_s)}: {found}{mended}")
        if not report.all_well and not repair:
            place = "" if keep.project.exists else " in the project that it belongs to"
            show.note(f"try: modelkeep verify --repair{place}")
    if not report.all_well and not repair:
        raise typer.Exit(1)


def doctor(profile: Profile = None, as_json: Json = False) -> None:
    """Look at all that serving depends on; show every setting and where it came from."""
    from modelkeep.keep.doctor import diagnose

    found = diagnose(session.open(), os.environ)
    if as_json:
        show.say_json({"healthy": found.healthy, **show.plain(found)})
    else:
        for finding in found.findings:
            remedy = f"; try: {finding.remedy}" if finding.remedy else ""
            show.say(f"{finding.level:4}  {finding.subject}: {finding.message}{remedy}")
        rows = [(s.key, str(show.plain(s.value)), s.came_from) for s in found.settings]
        show.say("\n" + show.table(("SETTING", "VALUE", "FROM"), rows))
    if not found.healthy:
        raise typer.Exit(1)
