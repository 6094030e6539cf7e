# SPDX-License-Identifier: Apache-2.0

import pytest

from modelkeep.spec.errors import (
    ForbiddenAddress,
    InvalidValue,
    Unreachable,
)
from modelkeep.spec.settings import Credential
from servers.origin import Origin
from servers.tls import make_certificate
from wire.asking import SECRET, body, client


def local(origin, path):
    """The same place under its other name."""
    return f"http://localhost:{origin.port}{path}"


# -- redirects and credentials -------------------------------------------------


def test_a_credential_goes_to_its_origin(origin):
    one = client(credentials=(Credential(origin.url, SECRET),))
    one.read(origin.url_for("/f"))
    assert origin.requests[0].headers["authorization"] == SECRET


def test_a_credential_is_kept_on_the_way_within_its_origin(origin):
    origin.redirect("/old", "/f")
    one = client(credentials=(Credential(origin.url, SECRET),))
    assert one.read(origin.url_for("/old")).url == origin.url_for("/f")
    assert [request.headers.get("authorization") for request in origin.requests] == [SECRET] * 2


def test_another_port_gets_neither_credential_nor_custom_header(origin, other):
    origin.redirect("/f", other.url_for("/f"))
    one = client(credentials=(Credential(origin.url, SECRET),))
    headers = {"X-Api-Key": "hunter3", "Authorization": "Basic hunter4", "Accept": "*/*"}
    assert one.read(origin.url_for("/f"), headers=headers).data == b"from elsewhere"
    assert origin.requests[0].headers["x-api-key"] == "hunter3"
    told = other.requests[0].headers
    assert "hunter" not in str(dict(told))
    assert told["accept"] == "*/*"


def test_another_origin_on_the_way_gets_its_own_credential(origin, other):
    origin.redirect("/f", other.url_for("/f"))
    own = (Credential(origin.url, SECRET), Credential(other.url, "Bearer other"))
    client(credentials=own).read(origin.url_for("/f"))
    assert other.requests[0].headers["authorization"] == "Bearer other"


def test_a_range_goes_along_and_the_hops_are_kept(origin, other):
    origin.redirect("/f", other.url_for("/f"), headers={"X-Repo-Commit": "c"})
    response = client().open(origin.url_for("/f"), start_byte=5)
    assert body(response) == b"elsewhere"
    assert [(hop.status, hop.headers["x-repo-commit"]) for hop in response.hops] == [(302, "c")]
    assert response.url == other.url_for("/f")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_every_kind_of_redirect_is_followed(origin, status):
    origin.redirect("/old", "f", status=status)
    assert client().read(origin.url_for("/old")).status == 200


def test_ten_redirects_are_followed_and_eleven_are_not(origin):
    for n in range(11):
        origin.redirect(f"/{n}", f"/{n + 1}")
    origin.files["/11"] = b"there"
    assert client().read(origin.url_for("/1")).data == b"there"
    with pytest.raises(Unreachable, match="10 redirects"):
        client().read(origin.url_for("/0"))


def test_a_redirect_without_a_place_is_no_answer(origin):
    origin.fail("/f", 302)
    with pytest.raises(Unreachable, match="302"):
        client().read(origin.url_for("/f"))


@pytest.mark.tool("openssl")
def test_a_redirect_from_https_to_http_is_refused(origin, tmp_path):
    context, certificate = make_certificate(tmp_path)
    with Origin({"/f": b"safe"}, tls=context) as secure:
        one = client(ca_bundle=str(certificate))
        assert one.read(secure.url_for("/f")).data == b"safe"
        secure.redirect("/down", origin.url_for("/f"))
        with pytest.raises(Unreachable, match="stay on https"):
            one.read(secure.url_for("/down"))
    assert not origin.requests


@pytest.mark.tool("openssl")
def test_an_unknown_certificate_is_refused_at_once_unless_the_host_is_excused(tmp_path):
    context, _ = make_certificate(tmp_path)
    events = []
    with Origin({"/f": b"safe"}, tls=context) as secure:
        with pytest.raises(Unreachable, match="certificate"):
            client(events.append).read(secure.url_for("/f"))
        assert events == []
        assert not secure.requests
        excused = client(insecure_hosts=("127.0.0.1",))
        with pytest.warns(match="Unverified HTTPS"):
            assert excused.read(secure.url_for("/f")).data == b"safe"


def test_a_folder_of_certificates_is_understood_and_a_missing_one_named(tmp_path):
    assert client(ca_bundle=str(tmp_path)).network.ca_bundle == str(tmp_path)
    with pytest.raises(Unreachable):
        client(ca_bundle=str(tmp_path), retries=0).read("https://127.0.0.1:9/")
    with pytest.raises(InvalidValue, match="certificates"):
        client(ca_bundle=str(tmp_path / "none")).read("https://127.0.0.1:9/")


# -- private addresses ---------------------------------------------------------


def test_a_redirect_to_a_private_address_that_nobody_named_is_refused(origin, other):
    origin.redirect("/f", local(other, "/f"))
    with pytest.raises(ForbiddenAddress, match="localhost"):
        client().read(origin.url_for("/f"))
    assert not other.requests


def test_a_private_address_that_is_allowed_is_followed(origin, other):
    origin.redirect("/f", local(other, "/f"))
    one = client(private_hosts=("localhost",))
    assert one.read(origin.url_for("/f")).data == b"from elsewhere"


def test_a_url_that_a_server_supplied_is_no_named_one(origin):
    with pytest.raises(ForbiddenAddress):
        client().read(origin.url_for("/f"), supplied_by="")
    assert not origin.requests


def test_a_pool_that_was_opened_for_a_named_host_does_not_serve_strangers(origin):
    with client() as one:
        one.read(origin.url_for("/f"))
        with pytest.raises(ForbiddenAddress):
            one.read(origin.url_for("/f"), supplied_by="")


@pytest.mark.tool("openssl")
def test_the_peer_is_checked_for_https_too(tmp_path):
    context, certificate = make_certificate(tmp_path)
    with Origin({"/f": b"x"}, tls=context) as secure, pytest.raises(ForbiddenAddress):
        client(ca_bundle=str(certificate)).read(secure.url_for("/f"), supplied_by="")
