# SPDX-License-Identifier: Apache-2.0
import socket
import ssl

import pytest
import urllib3

from modelkeep.spec.errors import InvalidValue, Unreachable
from modelkeep.spec.settings import Credential, Network
from modelkeep.wire.answers import Transient
from modelkeep.wire.client import Client
from modelkeep.wire.origins import Target
from modelkeep.wire.pools import failure, proxy_for
from servers.origin import Origin, Reply, Request
from servers.proxy import Tunnel
from servers.tls import make_certificate

PROXIES = {"http": "http://p:1", "https": "p:2", "no": "internal.example,.local"}


@pytest.mark.parametrize(
    ("url", "proxies", "proxy"),
    [
        ("http://h/", PROXIES, "http://p:1"),
        ("https://h/", PROXIES, "http://p:2"),
        ("https://internal.example/", PROXIES, ""),
        ("https://a.local/", PROXIES, ""),
        ("https://h/", {}, ""),
        ("https://h/", {"all": "http://p:3"}, "http://p:3"),
        ("https://h/", {"all": "http://p:3", "no": "*"}, ""),
    ],
)
def test_a_proxy_is_chosen_by_scheme_and_its_exceptions(url, proxies, proxy):
    assert proxy_for(Target.parse(url), proxies) == proxy


class Proxy(Origin):
    """Answers for everybody, as a forwarding proxy does."""

    def reply(self, request: Request) -> Reply:
        return Reply(200, request.target.encode())


def test_a_request_goes_by_the_proxy_whose_user_only_the_proxy_sees():
    with Proxy() as proxy:
        named = proxy.url.replace("//", "//me:hunter2@")
        with Client(Network(proxies={"http": named})) as client:
            answer = client.read("http://models.example/f", supplied_by="")
        assert answer.data == b"http://models.example/f"
        assert proxy.requests[0].headers["proxy-authorization"].startswith("Basic ")
        assert proxy.requests[0].headers["host"] == "models.example"


@pytest.mark.tool("openssl")
def test_https_goes_through_a_tunnel_with_its_own_certificate_and_credential(tmp_path):
    context, certificate = make_certificate(tmp_path)
    with Origin({"/f": b"safe"}, tls=context) as secure, Tunnel() as tunnel:
        network = Network(
            proxies={"https": tunnel.url.replace("//", "//me:hunter2@")},
            ca_bundle=str(certificate),
            credentials=(Credential(secure.url, "Bearer hunter3"),),
            retries=0,
        )
        with Client(network) as client:  # a proxy's peer is the proxy: no address is checked
            assert client.read(secure.url_for("/f"), supplied_by="").data == b"safe"
        assert tunnel.targets == [f"127.0.0.1:{secure.port}"]
        assert (tunnel.authorizations[0] or "").startswith("Basic ")
        assert secure.requests[0].headers["authorization"] == "Bearer hunter3"
        assert "proxy-authorization" not in secure.requests[0].headers


def test_a_proxy_that_is_down_is_told_without_its_user():
    network = Network(proxies={"http": "http://me:hunter2@127.0.0.1:1"}, retries=0)
    with Client(network) as client, pytest.raises(Unreachable) as caught:
        client.read("http://models.example/f")
    assert "hunter2" not in str(caught.value)


def test_a_proxy_of_another_kind_is_refused():
    network = Network(proxies={"http": "socks5://me:hunter2@127.0.0.1:1"})
    with Client(network) as client, pytest.raises(InvalidValue, match="proxy") as caught:
        client.read("http://models.example/f")
    assert "hunter2" not in str(caught.value)


def _caused(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "again", "words"),
    [
        (
            _caused(
                urllib3.exceptions.HTTPError(), socket.gaierror(socket.EAI_NONAME, "not known")
            ),
            False,
            "not known",
        ),
        (
            _caused(urllib3.exceptions.HTTPError(), socket.gaierror(socket.EAI_AGAIN, "later")),
            True,
            "later",
        ),
        (urllib3.exceptions.SSLError(ssl.SSLError(1, "bad mac")), True, "bad mac"),
        (_caused(urllib3.exceptions.HTTPError(), TimeoutError()), True, "none within 3 s"),
        (urllib3.exceptions.LocationParseError("x"), False, "cannot"),
        (urllib3.exceptions.ProtocolError("x", ConnectionResetError(104, "Reset")), True, "reset"),
        (urllib3.exceptions.ProtocolError("x", ValueError("y")), True, "ValueError"),
    ],
)
def test_what_the_pool_reports_becomes_our_word_for_it(error, again, words):
    found = failure("it", error, 3.0)
    assert isinstance(found, Transient) is again
    assert words in str(found)


def test_a_host_that_does_not_exist_is_not_asked_again():
    events = []
    with Client(Network(retries=1, retry_delay_s=0.01), events.append) as client:
        with pytest.raises(Unreachable):
            client.read("http://no-such-host.invalid/x")
        client.close()
    assert len(events) <= 1  # one where the resolver itself has no network
