# SPDX-License-Identifier: Apache-2.0
"""Who is asked: origins, whose credentials go along, what a redirect may lead to.

Pure. A URL is taken apart here once, and what is connected to is built from
these parts again, so that no second parser can read another host in it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from urllib.parse import urljoin, urlsplit

from modelkeep.spec.errors import InvalidValue, Unreachable
from modelkeep.spec.settings import Credential
from modelkeep.spec.uri import redact

MAX_HOPS = 10
PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_.])?|[0-9a-f]*:[0-9a-f:.]+")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Target:
    """A URL in the parts that matter; user information and fragment are gone.

    Attributes:
        host: lower case, ASCII, an IPv6 address without brackets.
        path: with the query, at least ``/``.
    """

    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> str:
        """``scheme://host:port``, the port always written (RFC 6454 §4)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole, the port only where it is not the usual one."""
        usual = f":{PORTS[self.scheme]}"
        origin = self.origin
        return (origin.removesuffix(usual)) + self.path

    @classmethod
    def parse(cls, url: str) -> Target:
        """Take a URL apart.

        Raises:
            InvalidValue: not http or https, no host, or characters that two
                parsers could read in two ways.
        """
        expected = "an http or https URL"
        if re.search(r"[\s\x00-\x1f\x7f\\]", url):
            raise InvalidValue("URL", expected, f"blanks or backslashes in {redact(url)!r}")
        try:
            parts = urlsplit(url)
            port = parts.port
            host = _ascii(parts.hostname or "")
        except ValueError as error:
            raise InvalidValue("URL", expected, repr(redact(url))) from error
        if parts.scheme not in PORTS or not _HOST.fullmatch(host):
            raise InvalidValue("URL", expected, repr(redact(url)))
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(parts.scheme, host, port or PORTS[parts.scheme], path)


def _ascii(host: str) -> str:
    return host.lower() if host.isascii() else host.encode("idna").decode()


def origin_of(url: str) -> str:
    """``scheme://host:port`` of a URL.

    Raises:
        InvalidValue: no http or https URL.
    """
    return Target.parse(url).origin


def same_host(url: str, others: Iterable[str]) -> bool:
    """Whether the URL's host is that of one of the others; what is no http URL has none."""
    return host_of(url) in {host_of(other) for other in others} - {""}


def host_of(url: str) -> str:
    """The host of an http URL, else an empty text."""
    try:
        return Target.parse(url).host
    except InvalidValue:
        return ""


def authorization(target: Target, credentials: Iterable[Credential]) -> str | None:
    """The Authorization value for exactly this origin, if there is one.

    Raises:
        InvalidValue: it cannot stand in a header. (Whoever sent it would show it.)
    """
    for credential in credentials:
        try:
            fits = origin_of(credential.origin) == target.origin
        except InvalidValue:
            continue
        if fits:
            value = credential.authorization
            if not value.isascii() or not value.isprintable():
                got = "line ends or other characters"
                raise InvalidValue(f"credential for {target.origin}", "printable ASCII", got)
            return value
    return None


def follow(subject: str, target: Target, location: str) -> Target:
    """Where a redirect leads.

    Args:
        subject: for people.
        target: who said it.
        location: the header as it came, relative or not (RFC 9110 §10.2.2).

    Raises:
        Unreachable: from https to http, to another scheme, or to no URL at all.
    """
    try:
        found = Target.parse(urljoin(target.url, location))
    except (InvalidValue, ValueError) as error:
        got = f"a redirect to {redact(location)!r}"
        raise Unreachable(subject, "a redirect to an http or https URL", got) from error
    if target.scheme == "https" and found.scheme != "https":
        got = f"a redirect to {redact(found.url)}"
        raise Unreachable(subject, "redirects that stay on https", got)
    return found


class Reach(Enum):
    """From where an address can be reached.

    LOCAL is this machine or its link (loopback, link-local, multicast, reserved):
    what answers there trusts whoever asks. SITE is a private network (RFC 1918,
    RFC 4193, RFC 6598) or any other address that is not of the public internet.
    """

    LOCAL = 0
    SITE = 1
    GLOBAL = 2


def reach_of(address: str) -> Reach:
    """The reach of an IP address, also of one wrapped in IPv6; LOCAL where it is none."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return Reach.LOCAL
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return reach_of(str(inner))
        if found.teredo is not None:
            return Reach.LOCAL
        if found.is_site_local:
            return Reach.SITE
    if found.is_loopback or found.is_link_local or found.is_multicast or found.is_unspecified:
        return Reach.LOCAL
    # Documentation and private networks; what is reserved for the future stays out.
    if found.is_reserved and not found.is_private:
        return Reach.LOCAL
    return Reach.GLOBAL if found.is_global else Reach.SITE


def may_be_private(target: Target, named: Target | None, private_hosts: Iterable[str]) -> bool:
    """Whether the host may have a private address.

    Args:
        target: who is to be asked.
        named: what the operator named; None where a server supplied the URL.
        private_hosts: from the settings, names or addresses.
    """
    if named is not None and target.host == named.host:
        return True
    return target.host in {host.lower().strip("[]") for host in private_hosts}


def least_reach(
    target: Target, named: Target | None, source: Reach, private_hosts: Iterable[str]
) -> Reach:
    """What a peer's address must at least be before it is sent anything.

    Args:
        target: who is to be asked.
        named: what the operator named; None where a server supplied the URL.
        source: the reach of the host that redirected here or supplied the URL. On
            a private site its other hosts are known company (ADR 3).
        private_hosts: from the settings.
    """
    if may_be_private(target, named, private_hosts):
        return Reach.LOCAL
    return Reach.SITE if source is Reach.SITE else Reach.GLOBAL
