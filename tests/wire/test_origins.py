# SPDX-License-Identifier: Apache-2.0
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.spec.errors import InvalidValue, Unreachable
from modelkeep.spec.settings import Credential
from modelkeep.wire.origins import (
    Reach,
    Target,
    authorization,
    follow,
    least_reach,
    may_be_private,
    origin_of,
    reach_of,
    same_host,
)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Host.Example/a?b#c", "https://host.example:443"),
        ("http://h", "http://h:80"),
        ("http://h:8080/", "http://h:8080"),
        ("https://user:secret@h/x", "https://h:443"),
        ("http://[::1]:99/x", "http://[::1]:99"),
        ("https://bücher.example/", "https://xn--bcher-kva.example:443"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url, origin):
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://h/",
        "file:///etc/passwd",
        "https:///x",
        "https://h:port/",
        "https://h:99999/",
        "https://good\\@evil/",
        "https://good\t.evil/",
        "https://h /",
        "https://h\n/",
        "https://[fe80::1%25eth0]/",
        "https://a%2eb/",
        "https://[::1",
        "//h/x",
    ],
)
def test_what_two_parsers_could_read_in_two_ways_is_refused(url):
    with pytest.raises(InvalidValue):
        Target.parse(url)


def test_a_refused_url_is_shown_without_its_secrets():
    with pytest.raises(InvalidValue) as caught:
        Target.parse("ftp://me:hunter2@h/?token=hunter3")
    assert "hunter" not in str(caught.value)


def test_a_target_drops_user_and_fragment_and_keeps_the_query():
    assert Target.parse("https://me:pw@h:443/a%20b?c=d#e").url == "https://h/a%20b?c=d"
    assert Target.parse("http://[::1]:8/x").url == "http://[::1]:8/x"


@given(
    st.sampled_from(["http", "https"]),
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?(\.[a-z]{2,5})?", fullmatch=True),
    st.integers(1, 65535),
    st.from_regex(r"(/[A-Za-z0-9._~-]{0,8}){1,4}(\?[a-z]=[a-z0-9]{0,5})?", fullmatch=True),
)
def test_a_target_parses_from_its_own_url(scheme, host, port, path):
    target = Target(scheme, host, port, path)
    assert Target.parse(target.url) == target


@pytest.mark.parametrize(
    ("url", "given_to"),
    [
        ("https://h/x", True),
        ("https://h:443/y", True),
        ("https://H/y", True),
        ("http://h/x", False),
        ("https://h:8443/x", False),
        ("https://sub.h/x", False),
        ("https://h.evil/x", False),
    ],
)
def test_a_credential_goes_to_exactly_its_origin(url, given_to):
    credentials = [Credential("nonsense", "no"), Credential("https://h", "Bearer s")]
    found = authorization(Target.parse(url), credentials)
    assert found == ("Bearer s" if given_to else None)


@pytest.mark.parametrize("value", ["Bearer hunter2\n", "a\r\nX-Evil: hunter2", "hunter2é"])
def test_a_credential_that_no_header_can_carry_is_refused_and_not_shown(value):
    with pytest.raises(InvalidValue) as caught:
        authorization(Target.parse("https://h/"), [Credential("https://h", value)])
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("location", "leads_to"),
    [
        ("/c?d=e", "https://h/c?d=e"),
        ("c", "https://h/a/c"),
        ("?q=1", "https://h/a/b?q=1"),
        ("//other/x", "https://other/x"),
        ("https://other:1/x#f", "https://other:1/x"),
    ],
)
def test_a_location_is_resolved_against_where_it_was_said(location, leads_to):
    assert follow("it", Target.parse("https://h/a/b?old=1"), location).url == leads_to


@pytest.mark.parametrize(
    "location",
    ["http://h/a", "http://other/", "ftp://h/", "file:///etc/passwd", "https://[", "a b"],
)
def test_a_redirect_out_of_https_or_to_no_url_is_refused(location):
    with pytest.raises(Unreachable):
        follow("it", Target.parse("https://h/a"), location)


def test_a_redirect_from_http_may_lead_to_http_and_https():
    here = Target.parse("http://h/a")
    assert follow("it", here, "http://o/").scheme == "http"
    assert follow("it", here, "https://o/").scheme == "https"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("fec0::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("2002:7f00:0001::", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::808:808", True),
        ("2001:0:53aa:64c:0:7b13:35f4:3bb6", False),
        ("no address", False),
    ],
)
def test_an_address_is_public_or_not(address, public):
    assert (reach_of(address) is Reach.GLOBAL) is public


@pytest.mark.parametrize(
    ("address", "reach"),
    [
        ("8.8.8.8", Reach.GLOBAL),
        ("10.1.2.3", Reach.SITE),
        ("172.16.0.1", Reach.SITE),
        ("192.168.1.1", Reach.SITE),
        ("100.64.0.1", Reach.SITE),
        ("fd00::1", Reach.SITE),
        ("fec0::1", Reach.SITE),
        ("203.0.113.80", Reach.SITE),
        ("127.0.0.1", Reach.LOCAL),
        ("169.254.169.254", Reach.LOCAL),
        ("fe80::1", Reach.LOCAL),
        ("::1", Reach.LOCAL),
        ("::ffff:127.0.0.1", Reach.LOCAL),
        ("0.0.0.0", Reach.LOCAL),
        ("224.0.0.1", Reach.LOCAL),
        ("no address", Reach.LOCAL),
    ],
)
def test_an_address_is_local_or_of_a_site_or_public(address, reach):
    assert reach_of(address) is reach


@given(st.ip_addresses(v=4, network=ipaddress.IPv4Network("10.0.0.0/8")))
def test_a_private_address_stays_private_in_every_wrapping(address):
    number = int(address)
    mapped = ipaddress.IPv6Address((0xFFFF << 32) | number)
    nat64 = ipaddress.IPv6Address((0x64FF9B << 96) | number)
    sixtofour = ipaddress.IPv6Address((0x2002 << 112) | (number << 80))
    assert {reach_of(str(one)) for one in (address, mapped, nat64, sixtofour)} == {Reach.SITE}


@pytest.mark.parametrize(
    ("url", "named", "private_hosts", "allowed"),
    [
        ("http://h/", "http://h/", (), True),
        ("http://h:1/", "http://h:2/", (), True),
        ("http://h/", "http://other/", (), False),
        ("http://h/", None, (), False),
        ("http://h/", None, ("H",), True),
        ("http://[::1]/", None, ("[::1]",), True),
        ("http://127.0.0.1/", "http://localhost/", (), False),
    ],
)
def test_only_named_and_allowed_hosts_may_be_private(url, named, private_hosts, allowed):
    start = Target.parse(named) if named else None
    assert may_be_private(Target.parse(url), start, private_hosts) is allowed


@pytest.mark.parametrize(
    ("url", "named", "source", "private_hosts", "least"),
    [
        ("http://h/", "http://h/", Reach.GLOBAL, (), Reach.LOCAL),
        ("http://h/", None, Reach.GLOBAL, ("h",), Reach.LOCAL),
        ("http://files/", "http://index/", Reach.GLOBAL, (), Reach.GLOBAL),
        ("http://files/", "http://index/", Reach.LOCAL, (), Reach.GLOBAL),
        ("http://files/", "http://index/", Reach.SITE, (), Reach.SITE),
        ("http://files/", None, Reach.SITE, (), Reach.SITE),
    ],
)
def test_a_site_may_lead_to_its_own_hosts_and_nobody_to_this_machine(
    url, named, source, private_hosts, least
):
    start = Target.parse(named) if named else None
    assert least_reach(Target.parse(url), start, source, private_hosts) is least


def test_hosts_are_compared_where_there_are_any():
    assert same_host("https://h/x", ["http://other/", "http://H:8/"])
    assert not same_host("https://h/x", ["http://other/"])
    assert not same_host("file:///x", ["file:///y", "no url"])
