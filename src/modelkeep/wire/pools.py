# SPDX-License-Identifier: Apache-2.0
"""Connections: TLS, proxies, and a guard that looks at the peer before a byte is sent.

The only module that knows urllib3's pools; its errors become ours here.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # no stub has it

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util import create_urllib3_context, make_headers, parse_url

from modelkeep.spec.errors import ForbiddenAddress, InvalidValue, Unreachable
from modelkeep.spec.settings import Network
from modelkeep.spec.uri import redact
from modelkeep.wire.answers import Transient
from modelkeep.wire.origins import Reach, Target, reach_of

CheckPeer = Callable[[str, socket.socket], socket.socket]


def _checking(check: CheckPeer) -> dict[str, type[HTTPConnectionPool]]:
    """Pools whose connections are shown to ``check`` before a byte is sent."""

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return check(self.host, super()._new_conn())

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return check(self.host, super()._new_conn())

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


class Pools:
    """The pools of one client; thread-safe.

    Args:
        network: certificates, proxies, timeouts, how many connections to keep.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._lock = threading.Lock()
        self._managers: dict[tuple[Reach, bool, bool, str], urllib3.PoolManager] = {}
        self._reaches: dict[str, Reach] = {}

    def request(
        self, method: str, target: Target, *, headers: Mapping[str, str], least: Reach
    ) -> urllib3.BaseHTTPResponse:
        """One question, with no redirect and no retry; the body is still to be read.

        Args:
            method: GET or HEAD.
            target: whom to ask.
            headers: all of them, credentials too.
            least: what the peer's address must at least be (not where a proxy
                connects in our stead).

        Raises:
            ForbiddenAddress: it is less; nothing was sent to it.
            Transient: no connection, or no answer in time.
            Unreachable: no such host, or a certificate that does not hold.
        """
        manager = self._manager(target, least)
        timeout = self._network.timeout_s
        try:
            return manager.urlopen(
                method,
                target.url,
                headers=headers,
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
                timeout=urllib3.Timeout(connect=timeout, read=timeout),
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise failure(redact(target.url), error, timeout) from error

    def reach_of(self, host: str) -> Reach:
        """What was seen of a host that was connected to; GLOBAL where none was."""
        return self._reaches.get(host, Reach.GLOBAL)

    def _check_peer(self, least: Reach, host: str, sock: socket.socket) -> socket.socket:
        address = sock.getpeername()[0]
        reach = reach_of(address)
        if reach.value >= least.value:
            self._reaches[host.strip("[]").lower()] = reach
            return sock
        sock.close()
        expected = "a public address, or its host among those that may be private"
        raise ForbiddenAddress(f"host {host}", expected, f"the private address {address}")

    def close(self) -> None:
        """Let all connections go."""
        with self._lock:
            managers = list(self._managers.values())
            self._managers.clear()
        for manager in managers:
            manager.clear()

    def _manager(self, target: Target, least: Reach) -> urllib3.PoolManager:
        proxy = proxy_for(target, self._network.proxies)
        hosts = {host.lower() for host in self._network.insecure_hosts}
        insecure = bool(hosts & {target.host, f"{target.host}:{target.port}"})
        tls = target.scheme == "https" or proxy.startswith("https:")
        key = (Reach.LOCAL if proxy else least, tls, insecure, proxy)
        with self._lock:
            if key not in self._managers:
                # Loading certificates takes longer than many a request on a local network.
                context = _tls(self._network.ca_bundle, insecure) if tls else None
                maxsize = max(self._network.connections, 1)
                if proxy:
                    made: urllib3.PoolManager = _by_proxy(proxy, maxsize, context, insecure)
                else:
                    made = _direct(maxsize, context, insecure)
                    check = partial(self._check_peer, least)
                    made.pool_classes_by_scheme = _checking(check)
                self._managers[key] = made
            return self._managers[key]


def _direct(maxsize: int, context: ssl.SSLContext | None, insecure: bool) -> urllib3.PoolManager:
    return urllib3.PoolManager(
        maxsize=maxsize, ssl_context=context, assert_hostname=False if insecure else None
    )


def _tls(ca_bundle: str | None, insecure: bool) -> ssl.SSLContext:
    context = create_urllib3_context(cert_reqs=ssl.CERT_NONE if insecure else ssl.CERT_REQUIRED)
    if ca_bundle is None:
        context.load_default_certs()
        return context
    try:
        if Path(ca_bundle).is_dir():
            context.load_verify_locations(capath=ca_bundle)
        else:
            context.load_verify_locations(cafile=ca_bundle)
    except OSError as error:
        raise InvalidValue("certificates", "a file or folder of them", repr(ca_bundle)) from error
    return context


def _by_proxy(
    proxy: str, maxsize: int, context: ssl.SSLContext | None, insecure: bool
) -> urllib3.ProxyManager:
    try:
        user = parse_url(proxy).auth
        return urllib3.ProxyManager(
            proxy,
            maxsize=maxsize,
            ssl_context=context,
            proxy_ssl_context=context,
            assert_hostname=False if insecure else None,
            proxy_headers=make_headers(proxy_basic_auth=user) if user else None,
        )
    except urllib3.exceptions.LocationValueError as error:
        raise InvalidValue("proxy", "an http or https URL", repr(redact(proxy))) from error


def proxy_for(target: Target, proxies: Mapping[str, str]) -> str:
    """The proxy's URL for a target, or an empty text for none."""
    proxy = proxies.get(target.scheme) or proxies.get("all") or ""
    if not proxy or proxy_bypass_environment(f"{target.host}:{target.port}", dict(proxies)):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def failure(subject: str, error: BaseException, timeout_s: float) -> Unreachable:
    """Our word for what urllib3 or the system reported.

    Args:
        subject: the URL, redacted.
        error: what was caught.
        timeout_s: that was set.
    """
    cause = _root(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Unreachable(subject, "a certificate that holds", cause.verify_message)
    if isinstance(cause, socket.gaierror):
        got = f"no address for it ({cause.strerror})"
        if cause.errno == socket.EAI_NONAME:
            return Unreachable(subject, "a host that exists", got)
        return Transient(subject, "a host that exists", got)
    if isinstance(error, urllib3.exceptions.ReadTimeoutError):
        return Transient(subject, "bytes", f"none for {timeout_s:g} s")
    if isinstance(cause, TimeoutError):
        return Transient(subject, "a connection", f"none within {timeout_s:g} s")
    if isinstance(cause, urllib3.exceptions.IncompleteRead) and cause.expected:
        whole = int(cause.partial) + int(cause.expected)
        return Transient(subject, f"a body of {whole} bytes", f"its end after {cause.partial}")
    if isinstance(error, urllib3.exceptions.LocationValueError):
        return Unreachable(subject, "a URL that can be asked", "one that cannot")
    reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else ""
    got = reason.lower() or f"a broken connection ({type(cause).__name__})"
    return Transient(subject, "an answer", got)


def _root(error: BaseException) -> BaseException:
    """The system's own error beneath urllib3's wrappings."""
    seen = error
    while True:
        inner = seen.__cause__
        if inner is None and isinstance(seen, urllib3.exceptions.HTTPError):
            inner = next((part for part in seen.args if isinstance(part, BaseException)), None)
        if inner is None or inner is seen:
            return seen
        seen = inner
