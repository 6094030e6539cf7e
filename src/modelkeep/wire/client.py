# SPDX-License-Identifier: Apache-2.0
"""The one HTTP client: it asks, follows redirects itself, and tells no secret to strangers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import urllib3

import modelkeep
from modelkeep.spec.emit import Emit, ignore
from modelkeep.spec.errors import Offline, Unreachable
from modelkeep.spec.settings import Network
from modelkeep.spec.uri import redact
from modelkeep.wire.answers import Hop, Transient, judge
from modelkeep.wire.origins import (
    MAX_HOPS,
    Reach,
    Target,
    authorization,
    follow,
    host_of,
    least_reach,
)
from modelkeep.wire.pools import Pools
from modelkeep.wire.response import Body, Response, discard
from modelkeep.wire.retry import retrying

T = TypeVar("T")
MAX_BODY_BYTES = 64 * 2**20
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Client:
    """Asks servers; thread-safe. Close it when done.

    Args:
        network: every setting there is for it.
        emit: hears of retries.
    """

    def __init__(self, network: Network, emit: Emit = ignore) -> None:
        self.network = network
        self._emit = emit
        self._pools = Pools(network)

    def close(self) -> None:
        """Let all connections go."""
        self._pools.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def retry(self, subject: str, ask: Callable[[], T]) -> T:
        """What ``ask`` returns, asked again while its errors are transient.

        Raises:
            Unreachable: they still were after the last try; no longer Transient,
                so that nobody above begins anew.
        """
        try:
            for attempt in retrying(self.network, subject, self._emit):
                with attempt:
                    return ask()
        except Transient as error:
            got = f"{error.got}, {self.network.retries + 1} times"
            raise Unreachable(error.subject, error.expected, got) from error
        raise AssertionError("the policy ends in an answer or an error")

    def open(
        self,
        url: str,
        *,
        start_byte: int = 0,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        supplied_by: str | None = None,
    ) -> Response:
        """Ask once, following redirects; the body waits to be read.

        Args:
            url: user information in it is not used.
            start_byte: of the file; the answer says where it really starts.
            headers: more of them; they go to the first origin and no other.
            method: GET or HEAD.
            supplied_by: the URL of the server that supplied this one ("" if
                unknown); its host is then no named one (ADR 3).

        Raises:
            NotFound: 404, 410. AccessDenied: 401, 403. (``answer`` has the head.)
            Unreachable: no usable answer; ``Transient`` where it may go better
                soon, ``WrongRange`` where only a range failed.
            Offline: the settings forbid the network; nothing was resolved.
            ForbiddenAddress: the way led to a private address that nobody named.
            InvalidValue: no http or https URL.
        """
        subject = redact(url)
        if self.network.offline:
            raise Offline(subject, "a network", "settings that say offline")
        first = Target.parse(url)
        sent = self._headers(headers, start_byte)
        raw, target, hops = self._walk(
            subject, first, method, headers=sent, supplied_by=supplied_by
        )
        answer = Hop(target.url, raw.status, _lower(raw))
        try:
            found = judge(subject, answer, start_byte, redirected=target.origin != first.origin)
        except BaseException:
            discard(raw)
            raise
        timeout_s = self.network.timeout_s
        return Response(raw, answer, hops=hops, extent=found, subject=subject, timeout_s=timeout_s)

    def read(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        supplied_by: str | None = None,
        max_bytes: int = MAX_BODY_BYTES,
    ) -> Body:
        """A small answer, whole, with retries. Arguments and errors as for ``open``.

        Raises:
            Unreachable: also when the body is larger than ``max_bytes``.
        """
        subject = redact(url)

        def ask() -> Body:
            with self.open(
                url, headers=headers, method=method, supplied_by=supplied_by
            ) as response:
                data = b"" if method == "HEAD" else _collect(response, subject, max_bytes)
                return Body(response.url, response.status, response.headers, data, response.hops)

        return self.retry(subject, ask)

    def _headers(self, more: Mapping[str, str] | None, start_byte: int) -> dict[str, str]:
        found = {
            "User-Agent": f"modelkeep/{modelkeep.__version__}",
            "Accept-Encoding": "identity",
        }
        if start_byte:
            found["Range"] = f"bytes={start_byte}-"
        return {**(more or {}), **found}

    def _walk(
        self,
        subject: str,
        first: Target,
        method: str,
        *,
        headers: dict[str, str],
        supplied_by: str | None,
    ) -> tuple[urllib3.BaseHTTPResponse, Target, tuple[Hop, ...]]:
        target = first
        hops: list[Hop] = []
        while True:
            least = self._least(target, first, supplied_by)
            sent = self._for_origin(target, first, headers)
            raw = self._pools.request(method, target, headers=sent, least=least)
            location = raw.headers.get("location")
            if raw.status not in _REDIRECTS or not location:
                return raw, target, tuple(hops)
            hops.append(Hop(target.url, raw.status, _lower(raw)))
            discard(raw)
            if len(hops) > MAX_HOPS:
                got = f"more than {MAX_HOPS} redirects"
                raise Unreachable(subject, f"at most {MAX_HOPS} redirects", got)
            target = follow(subject, target, location)

    def _least(self, target: Target, first: Target, supplied_by: str | None) -> Reach:
        named = first if supplied_by is None else None
        source = first.host if supplied_by is None else host_of(supplied_by)
        return least_reach(target, named, self._pools.reach_of(source), self.network.private_hosts)

    def _for_origin(self, target: Target, first: Target, headers: dict[str, str]) -> dict[str, str]:
        """Its own credential goes to each; to a stranger, no more beside it than the usual."""
        sent = headers
        if target.origin != first.origin:
            usual = ("user-agent", "accept-encoding", "accept", "range")
            sent = {name: value for name, value in headers.items() if name.lower() in usual}
        secret = authorization(target, self.network.credentials)
        return {**sent, "Authorization": secret} if secret else sent


def _lower(raw: urllib3.BaseHTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in raw.headers.items()}


def _collect(response: Response, subject: str, max_bytes: int) -> bytes:
    whole = bytearray()
    for piece in response:
        whole += piece
        if len(whole) > max_bytes:
            got = f"more than {max_bytes}"
            raise Unreachable(subject, f"an answer of at most {max_bytes} bytes", got)
    return bytes(whole)
