# SPDX-License-Identifier: Apache-2.0
"""Finds every setting out, once, and says where each came from.

Flag > environment > profile > models.toml > default. Nothing below this floor
reads the environment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from modelkeep.spec.errors import InvalidValue
from modelkeep.spec.settings import TABLE, Found


@dataclass(frozen=True)
class Settings:
    """All settings of one run; the accessors are named after what they return."""

    found: Mapping[str, Found]

    def text(self, key: str) -> str:
        """A setting that is text."""
        return cast(str, self.found[key].value)

    def number(self, key: str) -> int:
        """A whole number, a port or a size in bytes."""
        return cast(int, self.found[key].value)

    def seconds(self, key: str) -> float:
        """A time in seconds."""
        return cast(float, self.found[key].value)

    def flag(self, key: str) -> bool:
        """True or false."""
        return cast(bool, self.found[key].value)

    def names(self, key: str) -> tuple[str, ...]:
        """A list of names."""
        return cast("tuple[str, ...]", self.found[key].value)

    @property
    def store(self) -> Path:
        """The store's folder, absolute."""
        return cast(Path, self.found["store.path"].value)


def find_settings(
    *,
    flags: Mapping[str, object],
    environment: Mapping[str, str],
    project: Mapping[str, tuple[object, str]],
    folder: Path,
) -> Settings:
    """Merge all places.

    Args:
        flags: by key; None counts as not given.
        project: parsed values of models.toml with ``file`` or ``profile NAME``.
        folder: the project's folder, from which a relative ``store.path`` of
            models.toml starts (others start from the current folder).

    Raises:
        InvalidValue: a flag or variable that does not parse.
    """
    found = {}
    for setting in TABLE:
        places = [(f"flag --{setting.key}", flags.get(setting.key))]
        places += [(f"environment {v}", environment.get(v) or None) for v in setting.all_variables]
        came_from, raw = next(((w, v) for w, v in places if v is not None), ("", None))
        if raw is not None:
            found[setting.key] = Found(
                setting.key, _parsed(setting.parse, raw, came_from), came_from
            )
        elif setting.key in project:
            value, came_from = project[setting.key]
            value = folder / value if isinstance(value, Path) else value
            found[setting.key] = Found(setting.key, value, came_from)
        else:
            found[setting.key] = Found(setting.key, setting.default, "default")
    store = found["store.path"]
    if store.value is None:
        found["store.path"] = Found("store.path", _user_store(environment), "default")
    else:
        whole = Path(cast(Path, store.value)).absolute()
        found["store.path"] = Found("store.path", whole, store.came_from)
    return Settings(found)


def _parsed(parse: Callable[[object], object], raw: object, came_from: str) -> object:
    try:
        return parse(raw)
    except InvalidValue as error:
        raise InvalidValue(came_from, error.expected, error.got) from error


def _user_store(environment: Mapping[str, str]) -> Path:
    """The user's cache folder (XDG Base Directory; Apple's Library/Caches)."""
    import platformdirs

    given = environment.get("XDG_CACHE_HOME")
    return Path(given) / "modelkeep" if given else platformdirs.user_cache_path("modelkeep")
