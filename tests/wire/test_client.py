# SPDX-License-Identifier: Apache-2.0
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import modelkeep
from modelkeep.spec.errors import (
    AccessDenied,
    InvalidValue,
    NotFound,
    Offline,
    Unreachable,
)
from modelkeep.spec.events import Retrying
from modelkeep.spec.settings import Credential
from modelkeep.wire.answers import Denied, Transient, WrongRange
from wire.asking import SECRET, body, client

# -- what is sent --------------------------------------------------------------


def test_a_request_says_who_asks_and_wants_bytes_as_they_are(origin):
    client().read(origin.url_for("/f"), headers={"Accept": "text/html"})
    headers = origin.requests[0].headers
    assert headers["user-agent"] == f"modelkeep/{modelkeep.__version__}"
    assert headers["accept-encoding"] == "identity"
    assert headers["accept"] == "text/html"
    assert "authorization" not in headers
    assert "range" not in headers


def test_user_information_in_a_url_is_neither_sent_nor_shown(origin):
    url = origin.url_for("/gone").replace("//", "//me:hunter2@")
    with pytest.raises(NotFound) as caught:
        client().read(url)
    assert "authorization" not in origin.requests[0].headers
    assert "hunter2" not in str(caught.value)
    assert "***@" in str(caught.value)


def test_secrets_in_a_query_are_not_shown(origin):
    with pytest.raises(NotFound) as caught:
        client().open(origin.url_for("/gone") + "?X-Signature=hunter2")
    assert "hunter2" not in str(caught.value)


def test_connections_are_kept_and_shared_by_threads(origin):
    with client() as one, ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: one.read(origin.url_for("/f")), range(20)))
    assert {answer.data for answer in answers} == {origin.files["/f"]}
    assert origin.connections <= 4


def test_offline_fails_before_anything_is_resolved():
    with pytest.raises(Offline):
        client(offline=True).read("https://no-such-host.invalid/x")


def test_what_is_no_url_is_refused():
    with pytest.raises(InvalidValue):
        client().open("ftp://h/x")


# -- ranges --------------------------------------------------------------------


def test_a_range_gives_the_rest(origin):
    response = client().open(origin.url_for("/f"), start_byte=1000)
    assert (response.status, response.start_byte) == (206, 1000)
    assert response.size_bytes == len(origin.files["/f"])
    assert body(response) == origin.files["/f"][1000:]


def test_an_ignored_range_gives_everything_and_says_so(origin):
    origin.ignore_range("/f")
    response = client().open(origin.url_for("/f"), start_byte=1000)
    assert response.start_byte == 0
    assert body(response) == origin.files["/f"]


def test_a_range_from_the_very_end_is_empty(origin):
    size = len(origin.files["/f"])
    response = client().open(origin.url_for("/f"), start_byte=size)
    assert (response.start_byte, response.size_bytes, body(response)) == (size, size, b"")


def test_a_range_beyond_the_end_is_a_typed_error(origin):
    with pytest.raises(WrongRange, match="2048000 bytes"):
        client().open(origin.url_for("/f"), start_byte=len(origin.files["/f"]) + 1)


@pytest.mark.parametrize("text", ["bytes 0-9/2048000", "bytes 1001-2047999/2048000", None])
def test_a_wrong_content_range_is_a_typed_error(origin, text):
    origin.change_headers("/f", {"Content-Range": text})
    with pytest.raises(WrongRange):
        client().open(origin.url_for("/f"), start_byte=1000)


def test_a_compressed_answer_is_refused(origin):
    origin.change_headers("/f", {"Content-Encoding": "gzip"})
    with pytest.raises(Unreachable, match="gzip"):
        client().read(origin.url_for("/f"))


# -- errors and retries --------------------------------------------------------


def test_429_with_retry_after_waits_as_long_as_it_says(origin):
    events = []
    origin.fail("/f", 429, headers={"Retry-After": "1"})
    client(events.append).read(origin.url_for("/f"))
    assert [(type(event), event.wait_s) for event in events] == [(Retrying, 1.0)]
    assert len(origin.requests) == 2


def test_the_hubs_own_rate_limit_header_is_heard(origin):
    origin.fail("/f", 429, headers={"ratelimit": '"api";r=0;t=55'})
    with pytest.raises(Transient) as caught:
        client().open(origin.url_for("/f"))
    assert caught.value.wait_s == 55.0


def test_503_twice_then_fine(origin):
    origin.fail("/f", 503, times=2)
    assert client().read(origin.url_for("/f")).data == origin.files["/f"]
    assert len(origin.requests) == 3


def test_when_all_tries_fail_the_error_is_no_longer_transient(origin):
    origin.fail("/f", 500, times=None)
    with pytest.raises(Unreachable, match="status 500, 3 times") as caught:
        client().read(origin.url_for("/f"))
    assert not isinstance(caught.value, Transient)
    assert len(origin.requests) == 3


def test_what_is_denied_or_missing_is_asked_once(origin):
    origin.fail("/f", 403)
    with pytest.raises(AccessDenied):
        client().read(origin.url_for("/f"))
    with pytest.raises(NotFound):
        client().read(origin.url_for("/gone"))
    assert len(origin.requests) == 2


def test_an_expired_signed_url_is_transient_since_asking_again_renews_it(origin, other):
    origin.redirect("/f", other.url_for("/f"))
    other.fail("/f", 403)
    assert client().read(origin.url_for("/f")).data == b"from elsewhere"
    assert len(origin.requests) == 2


def test_a_denial_on_the_same_origin_after_a_redirect_stays_one(origin):
    origin.redirect("/old", "/f")
    origin.fail("/f", 403, headers={"X-Error-Code": "GatedRepo"})
    with pytest.raises(Denied) as caught:
        client().read(origin.url_for("/old"))
    assert caught.value.answer.headers["x-error-code"] == "GatedRepo"


def test_a_reset_connection_is_tried_again(origin):
    origin.cut_after("/f", 0, reset=True)
    assert client().read(origin.url_for("/f")).data == origin.files["/f"]


def test_a_server_that_is_down_is_unreachable_after_every_retry():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        events = []
        with pytest.raises(Unreachable, match="refused"):
            client(events.append).read(url)
        assert len(events) == 2


def test_a_server_that_never_answers_runs_into_the_timeout():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        one = client(timeout_s=0.05, retries=0)
        with pytest.raises(Unreachable, match=r"none for 0\.05 s"):
            one.read(f"http://127.0.0.1:{silent.getsockname()[1]}/")


def test_a_server_that_speaks_no_http_is_unreachable():
    with socket.socket() as odd:
        odd.bind(("127.0.0.1", 0))
        odd.listen()

        def talk():
            peer, _ = odd.accept()
            peer.recv(1024)
            peer.sendall(b"hello, who is there?\r\n\r\n")
            peer.close()

        thread = threading.Thread(target=talk)
        thread.start()
        with pytest.raises(Unreachable, match="broken connection"):
            client(retries=0).read(f"http://127.0.0.1:{odd.getsockname()[1]}/")
        thread.join()


def test_an_answer_larger_than_its_cap_is_refused(origin):
    with pytest.raises(Unreachable, match="at most 100 bytes"):
        client().read(origin.url_for("/f"), max_bytes=100)


def test_head_reads_no_body(origin):
    answer = client().read(origin.url_for("/f"), method="HEAD")
    assert (answer.data, answer.headers["content-length"]) == (b"", "2048000")


def test_no_error_shows_the_credential(origin):
    one = client(credentials=(Credential(origin.url, SECRET),), retries=0)
    for status in (401, 403, 404, 429, 500, 418):
        origin.fail("/f", status)
        with pytest.raises((AccessDenied, NotFound, Unreachable)) as caught:
            one.read(origin.url_for("/f"))
        assert "hunter2" not in repr(caught.value) + str(caught.value) + repr(one.network)
