# SPDX-License-Identifier: Apache-2.0
"""Finds what others add: sources, layouts, loaders, by entry point."""

from __future__ import annotations

from modelkeep.spec.errors import InvalidValue


def find(group: str, name: str, built_in: tuple[str, ...]) -> object:
    """Load the one entry point of that group and name.

    Callers look into their own table first: an entry point cannot replace a
    built-in, and scanning them costs tens of milliseconds.

    Args:
        group: ``modelkeep.sources``, ``modelkeep.layouts`` or ``modelkeep.loaders``.
        name: what models.toml says.
        built_in: names of the caller's own table, for the error.

    Raises:
        InvalidValue: no such entry point, several, or one that does not import.
    """
    from importlib.metadata import entry_points

    kind = group.rpartition(".")[2].removesuffix("s")
    found = tuple(entry_points(group=group, name=name))
    if len(found) != 1:
        others = sorted({point.name for point in entry_points(group=group)} - set(built_in))
        known = ", ".join([*built_in, *others])
        got = repr(name) if not found else f"{len(found)} packages that offer {name!r}"
        raise InvalidValue(kind, f"one of {known}", got)
    try:
        return found[0].load()
    except Exception as error:  # a plugin's door: its import may raise anything
        raise InvalidValue(f"{kind} {name}", "a plugin that imports", f"{error!r}") from error
