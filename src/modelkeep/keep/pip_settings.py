# SPDX-License-Identifier: Apache-2.0
"""Reads pip's own settings, so that ``pypi:`` asks the indexes that pip would ask.

Files and order as pip documents them ("Configuration", pip 26): global, user,
environment's own, PIP_CONFIG_FILE; then PIP_* variables. pip itself is not run.
"""

from __future__ import annotations

import base64
import configparser
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from modelkeep.spec.errors import InvalidDocument
from modelkeep.spec.settings import Credential, PackageIndexes

_KEYS = ("index-url", "extra-index-url", "find-links", "no-index", "cert", "trusted-host", "proxy")
_SECTIONS = ("global", "install", "download")


@dataclass(frozen=True)
class PipSettings:
    """What pip's settings mean to us; secrets are apart, bound to their origins."""

    indexes: PackageIndexes
    credentials: tuple[Credential, ...] = ()
    ca_bundle: str | None = None
    insecure_hosts: tuple[str, ...] = ()
    proxy: str | None = None


def read_pip_settings(environment: Mapping[str, str], home: Path) -> PipSettings:
    """Read pip's files and variables.

    Raises:
        InvalidDocument: a pip.conf that does not parse.
    """
    values: dict[str, str] = {}
    for path in _files(environment, home):
        values |= _read_file(path)
    for key in _KEYS:
        variable = "PIP_" + key.upper().replace("-", "_")
        if environment.get(variable):
            values[key] = environment[variable]
    urls = values.get("index-url", PackageIndexes().urls[0]).split()[:1]
    urls += values.get("extra-index-url", "").split()
    if values.get("no-index", "").strip().lower() in ("1", "true", "yes", "on", "t", "y"):
        urls = []
    links = values.get("find-links", "").split()
    pairs = [_without_user(url) for url in (*urls, *links)]
    plain = [url for url, _ in pairs]
    return PipSettings(
        PackageIndexes(tuple(plain[: len(urls)]), tuple(plain[len(urls) :])),
        tuple(credential for _, credential in pairs if credential),
        values.get("cert"),
        tuple(values.get("trusted-host", "").split()),
        values.get("proxy"),
    )


def _files(environment: Mapping[str, str], home: Path) -> list[Path]:
    chosen = environment.get("PIP_CONFIG_FILE")
    if chosen == os.devnull:
        return []
    shared = environment.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")
    config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    files = [Path(folder) / "pip" / "pip.conf" for folder in reversed(shared) if folder]
    files.append(Path("/etc/pip.conf"))
    if sys.platform == "darwin":
        files.insert(0, Path("/Library/Application Support/pip/pip.conf"))
        files.append(home / "Library/Application Support/pip/pip.conf")
    files += [home / ".pip" / "pip.conf", config / "pip" / "pip.conf"]
    files.append(Path(sys.prefix) / "pip.conf")
    return [*files, Path(chosen)] if chosen else files


def _read_file(path: Path) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        got = str(error).replace("\n", " ")
        raise InvalidDocument(str(path), None, "", "pip's settings", got) from error
    found: dict[str, str] = {}
    for section in _SECTIONS:
        if parser.has_section(section):
            items = {key.replace("_", "-"): value for key, value in parser.items(section)}
            found |= {key: value for key, value in items.items() if key in _KEYS and value}
    return found


def _without_user(url: str) -> tuple[str, Credential | None]:
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if not at or parts.scheme not in ("http", "https"):
        return url, None
    name, _, password = user.partition(":")
    pair = f"{unquote(name)}:{unquote(password)}"
    authorization = "Basic " + base64.b64encode(pair.encode()).decode()
    clean = urlunsplit(parts._replace(netloc=host))
    return clean, Credential(f"{parts.scheme}://{host}", authorization)
