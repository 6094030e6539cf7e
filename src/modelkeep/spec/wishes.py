# SPDX-License-Identifier: Apache-2.0
"""models.toml: text in, wishes out, every fault named with its line and key.

Pure: variables' values come from the caller, which reads the environment.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from modelkeep.spec.errors import InvalidDocument, InvalidValue
from modelkeep.spec.model_keys import KEYS, LOCKED_KEYS, kind_of, read_key
from modelkeep.spec.requirement import Requirement, check_name, default_layout
from modelkeep.spec.settings import BY_KEY
from modelkeep.spec.toml_lines import line_of

DEFAULT_PROFILE = "default"
_TOP = ("variables", "settings", "models", "profiles")
_VARIABLE = re.compile(r"\$\{([^}]*)\}")


@dataclass(frozen=True)
class Wishes:
    """One models.toml under one profile and one set of variables.

    Attributes:
        settings: by key (``store.path``), with where each came from.
        variables: those that decide what is locked, with the values used.
        profiles: all that the file names, the default one first.
    """

    models: Mapping[str, Requirement]
    settings: Mapping[str, tuple[object, str]] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    profiles: tuple[str, ...] = (DEFAULT_PROFILE,)
    profile: str = DEFAULT_PROFILE


def parse_wishes(
    text: str,
    path: str,
    *,
    profile: str = DEFAULT_PROFILE,
    environment: Mapping[str, str] | None = None,
) -> Wishes:
    """Read models.toml.

    Args:
        text: its whole text.
        path: its name, for errors.
        profile: whose overrides to lay over the models and settings.
        environment: where the variables that ``[variables]`` lists may be set.

    Raises:
        InvalidDocument: not TOML, an unknown key, a bad type, a bad URI, an
            unknown profile, a fallback that leads nowhere or in a circle.
    """
    return _Reader(text, path, environment or {}).read(profile)


class _Reader:
    """One reading of one text. Holds what an error needs: the path and the text."""

    def __init__(self, text: str, path: str, environment: Mapping[str, str]) -> None:
        self.text = text
        self.path = path
        self.environment = environment
        self.variables: dict[str, str] = {}
        self.used: dict[str, str] = {}
        self.fallbacks: dict[str, str] = {}

    def fail(self, key: str, expected: str, got: str) -> NoReturn:
        raise InvalidDocument(self.path, line_of(self.text, key), key, expected, got)

    def read(self, profile: str) -> Wishes:
        whole = self._parse()
        self._only(whole, "", _TOP)
        self.variables = self._variables(self._table(whole, "variables", ""))
        overlays = self._table(whole, "profiles", "")
        profiles = (DEFAULT_PROFILE, *(name for name in overlays if name != DEFAULT_PROFILE))
        for name in overlays:
            self._named("profiles", name)
            overlay = self._table(overlays, name, "profiles.")
            self._only(overlay, f"profiles.{name}.", ("models", "settings"))
        if profile not in profiles:
            self.fail("profiles", "one of " + ", ".join(profiles), f"the profile {profile!r}")
        overlay = overlays.get(profile, {})
        settings = self._settings(whole, "settings", "file") | self._settings(
            overlay, f"profiles.{profile}.settings", f"profile {profile}"
        )
        models = self._models(whole, overlay, profile)
        self._check_fallbacks(models)
        return Wishes(models, settings, self.used, profiles, profile)

    def _parse(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self.text)
        except (ValueError, RecursionError) as error:
            match = re.search(r"\(at line (\d+)", str(error))
            line = int(match[1]) if match else None
            if "(at end of document)" in str(error):
                line = self.text.count("\n") + 1
            raise InvalidDocument(self.path, line, "", "TOML", str(error)) from error

    def _table(self, parent: Mapping[str, Any], key: str, prefix: str) -> dict[str, Any]:
        table = parent.get(key, {})
        if not isinstance(table, dict):
            self.fail(prefix + key, "a table", kind_of(table))
        return table

    def _only(self, table: Mapping[str, Any], prefix: str, known: tuple[str, ...]) -> None:
        for key in table:
            if key not in known:
                self.fail(prefix + key, "one of the keys " + ", ".join(known), "an unknown key")

    def _named(self, table: str, name: str) -> None:
        try:
            check_name(name)
        except InvalidValue as error:
            self.fail(f"{table}.{name}", error.expected, error.got)

    # -- variables

    def _variables(self, table: Mapping[str, Any]) -> dict[str, str]:
        for name, default in table.items():
            if not isinstance(default, (str, int, float, bool)):
                self.fail(f"variables.{name}", "a text, number or flag", kind_of(default))
        texts = {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in table.items()
        }
        return {name: self.environment.get(name, text) for name, text in texts.items()}

    def _expand(self, value: Any, key: str, *, locked: bool) -> Any:
        if isinstance(value, list):
            return [self._expand(part, key, locked=locked) for part in value]
        if isinstance(value, dict):
            return {
                name: self._expand(part, f"{key}.{name}", locked=locked)
                for name, part in value.items()
            }
        if not isinstance(value, str):
            return value

        def put(match: re.Match[str]) -> str:
            name = match[1]
            if name not in self.variables:
                known = ", ".join(self.variables) or "none is listed"
                self.fail(key, f"a variable that [variables] lists ({known})", f"${{{name}}}")
            if locked:
                self.used[name] = self.variables[name]
            return self.variables[name]

        return _VARIABLE.sub(put, value)

    # -- settings

    def _settings(
        self, parent: Mapping[str, Any], prefix: str, came_from: str
    ) -> dict[str, tuple[object, str]]:
        found: dict[str, tuple[object, str]] = {}
        tables = self._table(parent, "settings", prefix.removesuffix("settings"))
        self._only(tables, prefix + ".", tuple(dict.fromkeys(k.split(".")[0] for k in BY_KEY)))
        for name in tables:
            table = self._table(tables, name, prefix + ".")
            known = tuple(key.split(".")[1] for key in BY_KEY if key.startswith(name + "."))
            self._only(table, f"{prefix}.{name}.", known)
            for key, raw in table.items():
                where = f"{prefix}.{name}.{key}"
                value = self._expand(raw, where, locked=False)
                try:
                    found[f"{name}.{key}"] = (BY_KEY[f"{name}.{key}"].parse(value), came_from)
                except InvalidValue as error:
                    self.fail(where, error.expected, error.got)
        return found

    # -- models

    def _models(
        self, whole: Mapping[str, Any], overlay: Mapping[str, Any], profile: str
    ) -> dict[str, Requirement]:
        base = self._table(whole, "models", "")
        above = self._table(overlay, "models", f"profiles.{profile}.")
        models = {}
        for name in (*base, *(name for name in above if name not in base)):
            self._named("models", name)
            table = dict(self._table(base, name, "models."))
            places = dict.fromkeys(table, f"models.{name}.")
            over = self._table(above, name, f"profiles.{profile}.models.")
            places |= dict.fromkeys(over, f"profiles.{profile}.models.{name}.")
            models[name] = self._requirement(name, table | over, places)
        return models

    def _requirement(
        self, name: str, table: Mapping[str, Any], places: Mapping[str, str]
    ) -> Requirement:
        fields: dict[str, Any] = {}
        used_before = dict(self.used)
        for key, raw in table.items():
            where = places[key] + key
            if key not in KEYS:
                self.fail(where, "one of the keys " + ", ".join(KEYS), "an unknown key")
            expected, types = KEYS[key]
            if not isinstance(raw, types) or (isinstance(raw, bool) and bool not in types):
                self.fail(where, expected, kind_of(raw))
            value = self._expand(raw, where, locked=key in LOCKED_KEYS)
            try:
                fields.update(read_key(key, value))
            except InvalidValue as error:
                self.fail(where, error.expected, error.got)
        self.fallbacks[name] = places.get("fallback", "") + "fallback"
        made = self._complete(name, fields, places)
        if not made.enabled:
            self.used = used_before
        return made

    def _complete(
        self, name: str, fields: dict[str, Any], places: Mapping[str, str]
    ) -> Requirement:
        sources = fields.setdefault("sources", ())
        if not sources and fields.get("loader") != "mock":
            place = next(iter(places.values()), f"models.{name}.").rstrip(".")
            self.fail(place, "a source (only the loader mock needs none)", "no source")
        fields.setdefault("layout", default_layout(sources))
        revision = fields.get("revision")
        for uri in sources:
            if revision and uri.revision and revision != uri.revision:
                where = places["revision"] + "revision"
                self.fail(where, f"{uri.revision!r}, as {uri} says", repr(revision))
        return Requirement(name=name, **fields)

    def _check_fallbacks(self, models: Mapping[str, Requirement]) -> None:
        for name, model in models.items():
            seen = [name]
            spare = model.fallback
            while spare:
                if spare not in models:
                    self.fail(self.fallbacks[seen[-1]], "a model of this file", repr(spare))
                if spare in seen:
                    circle = " → ".join([*seen, spare])
                    self.fail(self.fallbacks[name], "a chain that ends", circle)
                seen.append(spare)
                spare = models[spare].fallback
