# SPDX-License-Identifier: Apache-2.0
import pytest

from modelkeep.spec.settings import Network
from modelkeep.wire.answers import Transient
from modelkeep.wire.client import Client


@pytest.fixture
def client():
    with Client(Network(retries=0, retry_delay_s=0.01, timeout_s=5.0)) as one:
        yield one


def read_until_it_breaks(response):
    pieces = []
    with response, pytest.raises(Transient) as caught:
        pieces.extend(response)
    return b"".join(pieces), caught.value


def test_pieces_are_large_and_in_order(client, origin):
    with client.open(origin.url_for("/f")) as response:
        pieces = list(response)
    assert b"".join(pieces) == origin.files["/f"]
    assert max(map(len, pieces)) <= 2**20


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("n_bytes", [1, 70_000, 1_200_000])
def test_a_cut_body_is_an_error_and_what_came_is_good(client, origin, n_bytes, reset):
    origin.cut_after("/f", n_bytes, reset=reset)
    got, error = read_until_it_breaks(client.open(origin.url_for("/f")))
    assert origin.files["/f"].startswith(got)
    assert origin.url_for("/f") in str(error)
    if not reset:  # a reset may overtake bytes that were sent before it
        assert len(got) == n_bytes
        assert f"end after {n_bytes}" in str(error)


def test_a_stalled_body_is_an_error_and_what_came_is_good(origin):
    origin.stall("/f", 1000)
    with Client(Network(retries=0, timeout_s=0.1)) as client:
        got, error = read_until_it_breaks(client.open(origin.url_for("/f")))
    assert got == origin.files["/f"][:1000]
    assert "none for 0.1 s" in str(error)


def test_a_body_shorter_than_its_content_range_is_an_error(client, origin):
    origin.change_headers("/f", {"Content-Range": "bytes 2047990-2047999/2048000"})
    origin.lie("/f", origin.files["/f"][:-5])
    got, error = read_until_it_breaks(client.open(origin.url_for("/f"), start_byte=2_047_990))
    assert got == origin.files["/f"][-10:-5]
    assert "2048000 bytes" in str(error)


def test_a_body_longer_than_it_says_is_cut_where_it_should_end(client, origin):
    origin.change_headers("/f", {"Content-Length": "100"}, times=1)
    with client.open(origin.url_for("/f")) as response:
        assert b"".join(response) == origin.files["/f"][:100]


def test_a_body_of_unknown_length_ends_where_the_connection_does(client, origin):
    origin.change_headers("/f", {"Content-Length": None})
    with client.open(origin.url_for("/f")) as response:
        assert response.size_bytes is None
        assert b"".join(response) == origin.files["/f"]


def test_a_slow_body_gives_its_pieces_early(client, origin):
    origin.files["/slow"] = b"0123456789"
    origin.slow("/slow", 1, 0.06)
    with client.open(origin.url_for("/slow")) as response:
        pieces = list(response)
    assert b"".join(pieces) == b"0123456789"
    assert len(pieces) > 1


def test_a_response_that_is_closed_early_takes_no_other_with_it(client, origin):
    response = client.open(origin.url_for("/f"))
    next(iter(response))
    response.close()
    assert client.read(origin.url_for("/f")).data == origin.files["/f"]
