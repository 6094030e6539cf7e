# SPDX-License-Identifier: Apache-2.0
"""Gathers what the HTTP client must know: proxies, certificates, credentials."""

from __future__ import annotations

import base64
import netrc
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from modelkeep.keep.pip_settings import PipSettings
from modelkeep.keep.settings import Settings
from modelkeep.spec.settings import Credential, Network

_BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def find_network(
    settings: Settings, pip: PipSettings, *, environment: Mapping[str, str], home: Path
) -> Network:
    """Settings, pip's settings, the user's tokens and ``~/.netrc``, as one value."""
    hub = settings.text("fetch.hub")
    token = _hub_token(environment, home)
    credentials = [Credential(hub, f"Bearer {token}")] if token else []
    credentials += [*pip.credentials, *_netrc(environment, home)]
    named = [environment[name] for name in _BUNDLES if environment.get(name)]
    return Network(
        retries=settings.number("fetch.retries"),
        retry_delay_s=settings.seconds("fetch.retry_delay"),
        timeout_s=settings.seconds("fetch.timeout"),
        offline=settings.flag("fetch.offline"),
        private_hosts=settings.names("fetch.private_hosts"),
        credentials=tuple(credentials),
        ca_bundle=named[0] if named else pip.ca_bundle,
        insecure_hosts=pip.insecure_hosts,
        proxies=_proxies(environment, pip),
        connections=settings.number("fetch.connections"),
    )


def _hub_token(environment: Mapping[str, str], home: Path) -> str:
    """As huggingface_hub finds it: HF_TOKEN, else the file that ``hf auth login`` wrote."""
    given = environment.get("HF_TOKEN") or environment.get("HUGGING_FACE_HUB_TOKEN")
    if given:
        return given.strip()
    cache = Path(environment.get("XDG_CACHE_HOME") or home / ".cache")
    hub_home = Path(environment.get("HF_HOME") or cache / "huggingface")
    path = Path(environment.get("HF_TOKEN_PATH") or hub_home / "token")
    with suppress(OSError, UnicodeDecodeError):
        return path.read_text().strip()
    return ""


def _netrc(environment: Mapping[str, str], home: Path) -> list[Credential]:
    path = Path(environment.get("NETRC") or home / ".netrc")
    found: list[Credential] = []
    with suppress(OSError, netrc.NetrcParseError, UnicodeDecodeError):
        for host, (login, _, password) in netrc.netrc(str(path)).hosts.items():
            if host != "default":
                secret = base64.b64encode(f"{login}:{password}".encode()).decode()
                found.append(Credential(f"https://{host}", f"Basic {secret}"))
    return found


def _proxies(environment: Mapping[str, str], pip: PipSettings) -> dict[str, str]:
    """``http``, ``https``, ``all`` and ``no``, lower-case names first, as curl reads them."""
    names = {name.lower(): value for name, value in environment.items() if name.isupper()}
    names |= {name: value for name, value in environment.items() if name.islower()}
    found = {
        scheme: names[f"{scheme}_proxy"]
        for scheme in ("http", "https", "all", "no")
        if names.get(f"{scheme}_proxy")
    }
    if pip.proxy and not {"http", "https", "all"} & found.keys():
        proxy = pip.proxy if "://" in pip.proxy else f"http://{pip.proxy}"
        found |= {"http": proxy, "https": proxy}
    return found
