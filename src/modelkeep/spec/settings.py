# SPDX-License-Identifier: Apache-2.0
"""Every setting there is: its key, its kind, its default, its environment variables.

``keep/settings.py`` finds the values out; this table says what may be found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from modelkeep.spec.errors import InvalidValue

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}


def parse_size(value: object) -> int:
    """Bytes from a whole number or a text such as ``50GB`` (10⁹) or ``64MiB`` (2²⁰).

    Raises:
        InvalidValue: anything else.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    text = str(value).strip().replace("_", "")
    digits = text.rstrip("BKMGTIbkmgti ")
    unit = text[len(digits) :].strip().upper()
    try:
        amount = float(digits)
    except ValueError:
        amount = -1.0
    if unit not in _UNITS or not 0 <= amount < 2**50:
        raise InvalidValue("size", "a size such as 50GB, 64MiB or a number of bytes", repr(value))
    return round(amount * _UNITS[unit])


def parse_whole(value: object) -> int:
    """A whole number of 0 or more, also from text."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    raise InvalidValue("number", "a whole number of 0 or more", repr(value))


def parse_count(value: object) -> int:
    """A whole number of 1 or more."""
    number = parse_whole(value)
    if number == 0:
        raise InvalidValue("number", "a whole number of 1 or more", repr(value))
    return number


def parse_port(value: object) -> int:
    """A TCP port, 0 to 65,535; 0 lets the system choose."""
    number = parse_whole(value)
    if number > 65_535:
        raise InvalidValue("port", "a number from 0 to 65535", repr(value))
    return number


def parse_seconds(value: object) -> float:
    """Seconds, 0 or more, also from text."""
    try:
        number = float(value) if isinstance(value, (int, float, str)) else -1.0
    except (ValueError, OverflowError):
        number = -1.0
    if isinstance(value, bool) or not 0 <= number < float("inf"):
        raise InvalidValue("seconds", "a number of seconds, 0 or more", repr(value))
    return number


def parse_flag(value: object) -> bool:
    """True or false; from text also 1/0, yes/no, on/off."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off", ""):
        return False
    raise InvalidValue("flag", "true or false", repr(value))


def parse_text(value: object) -> str:
    """Some text."""
    if isinstance(value, str) and value:
        return value
    raise InvalidValue("text", "a text that is not empty", repr(value))


def parse_folder(value: object) -> Path:
    """A folder; ``~`` is the user's home."""
    try:
        return Path(parse_text(value)).expanduser()
    except RuntimeError as error:
        raise InvalidValue("folder", "a home that this system knows", repr(value)) from error


def parse_names(value: object) -> tuple[str, ...]:
    """Names, from a list or from text with commas."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, (list, tuple)) and all(isinstance(part, str) for part in value):
        return tuple(value)
    raise InvalidValue("list", "a list of names", repr(value))


def _one_of(*words: str) -> Callable[[object], str]:
    def parse(value: object) -> str:
        word = str(value).lower()
        if word not in words:
            raise InvalidValue("choice", "one of " + ", ".join(words), repr(value))
        return word

    return parse


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table. ``key`` is ``table.name`` as in ``[settings]`` of models.toml.

    Every setting also answers to ``MODELKEEP_<TABLE>_<NAME>``; ``variables`` are
    the others, in the order in which they win. Texts may give fixed choices.
    """

    key: str
    parse: Callable[[object], object]
    default: object
    help: str
    variables: tuple[str, ...] = ()

    @property
    def all_variables(self) -> tuple[str, ...]:
        """Environment variables, the first that is set wins."""
        own = "MODELKEEP_" + self.key.replace(".", "_").upper()
        return (own, *self.variables)


LEVELS = ("debug", "info", "warning", "error")
TABLE = (
    Setting("store.path", parse_folder, None, "the store's folder; default: the user's cache",
            ("MODELKEEP_HOME", "MODEL_CACHE_DIR")),
    Setting("store.max_size", parse_size, 50 * 10**9,
            "what the store may hold; a download that would pass it is refused", ()),
    Setting("fetch.connections", parse_count, 8, "files fetched at once"),
    Setting("fetch.retries", parse_whole, 3, "tries after the first",
            ("MODEL_DOWNLOAD_MAX_RETRIES",)),
    Setting("fetch.retry_delay", parse_seconds, 5.0, "seconds before the first retry, then doubled",
            ("MODEL_DOWNLOAD_RETRY_DELAY",)),
    Setting("fetch.timeout", parse_seconds, 30.0, "seconds to connect, and without any byte"),
    Setting("fetch.offline", parse_flag, False, "never use the network",
            ("MODELKEEP_OFFLINE",)),
    Setting("fetch.private_hosts", parse_names, (),
            "hosts with private addresses that redirects may lead to"),
    Setting("fetch.hub", parse_text, "https://huggingface.co", "the Hugging Face Hub or a mirror",
            ("HF_ENDPOINT",)),
    Setting("runtime.max_parallel_loads", parse_count, 2, "models loading at once"),
    Setting("runtime.startup_timeout", parse_seconds, 300.0, "seconds a model may take to load"),
    Setting("runtime.shutdown_grace", parse_seconds, 30.0, "seconds for running requests to end"),
    Setting("server.host", _one_of("127.0.0.1", "::1", "localhost"), "127.0.0.1",
            "address to listen on; loopback only"),
    Setting("server.port", parse_port, 8080, "port to listen on; 0 chooses a free one"),
    Setting("server.max_body", parse_size, 64 * 2**20, "largest request body"),
    Setting("server.log_level", _one_of(*LEVELS), "info", "what is logged", ("LOG_LEVEL",)),
    Setting("server.log_format", _one_of("text", "json"), "text", "how it is logged"),
)  # fmt: skip
BY_KEY = {setting.key: setting for setting in TABLE}


@dataclass(frozen=True, slots=True)
class Found:
    """A setting's value and where it came from, for people: ``environment LOG_LEVEL``."""

    key: str
    value: object
    came_from: str


@dataclass(frozen=True, slots=True)
class PackageIndexes:
    """Where ``pypi:`` looks: pip's own settings, as values.

    Attributes:
        urls: simple-API roots (PEP 503/691) in order, ``file:`` ones included,
            with no user information (that is among the credentials).
        find_links: pages or folders that list archives directly.
    """

    urls: tuple[str, ...] = ("https://pypi.org/simple",)
    find_links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Credential:
    """An Authorization header's value, for one exact origin only (``scheme://host:port``).

    Its repr hides the secret.
    """

    origin: str
    authorization: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Network:
    """All that the one HTTP client must know.

    Attributes:
        retries: tries after the first; ``retry_delay_s`` before the second, doubled after.
        timeout_s: to connect, and between two bytes.
        ca_bundle: file or folder of certificates, or None for the system's.
        insecure_hosts: hosts whose certificates are not checked (pip's trusted-host).
        proxies: by scheme, as ``urllib.request.getproxies()`` gives them, with
            ``no`` for the exceptions.
    """

    retries: int = 3
    retry_delay_s: float = 5.0
    timeout_s: float = 30.0
    offline: bool = False
    private_hosts: tuple[str, ...] = ()
    credentials: tuple[Credential, ...] = ()
    ca_bundle: str | None = None
    insecure_hosts: tuple[str, ...] = ()
    proxies: Mapping[str, str] = field(default_factory=dict)
    connections: int = 8
