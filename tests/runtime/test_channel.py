# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from modelkeep.runtime import channel as room
from modelkeep.runtime.channel import Channel
from modelkeep.runtime.codec import BrokenChannel
from modelkeep.spec.errors import InvalidValue


@pytest.fixture
def ends() -> Iterator[tuple[Channel, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(30)
        ours.settimeout(30)
        yield Channel(ours), theirs


def test_messages_arrive_in_order_and_whole(ends: tuple[Channel, socket.socket]) -> None:
    sender, other = ends
    receiver = Channel(other)
    large = np.arange(1_000_000, dtype=np.int64)

    def send() -> None:
        sender.send({"number": 1, "large": large, "raw": b"abc"})
        sender.send({"number": 2})

    thread = threading.Thread(target=send)
    thread.start()
    first, second = receiver.receive(), receiver.receive()
    thread.join(30)
    assert first is not None
    assert np.array_equal(first["large"], large)
    assert (first["number"], first["raw"]) == (1, b"abc")
    assert second == {"number": 2}


def test_many_senders_do_not_mix_their_messages(ends: tuple[Channel, socket.socket]) -> None:
    sender, other = ends
    receiver = Channel(other)

    def send(number: int) -> None:
        for _ in range(20):
            sender.send({"data": np.full(50_000, number, np.uint8)})

    threads = [threading.Thread(target=send, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for _ in range(100):
        message = receiver.receive()
        assert message is not None
        assert len(set(message["data"].tolist())) == 1
    for thread in threads:
        thread.join(30)


def test_an_end_between_messages_is_no_error(ends: tuple[Channel, socket.socket]) -> None:
    receiver, other = ends
    Channel(other).send({"last": True})
    other.close()
    assert receiver.receive() == {"last": True}
    assert receiver.receive() is None


@pytest.mark.parametrize("kept", [1, 11, 12, 15, 25])
def test_a_cut_off_frame_is_a_broken_channel(
    ends: tuple[Channel, socket.socket], kept: int
) -> None:
    receiver, other = ends
    head = b'{"tree":{},"leaves":[]}'
    frame = struct.pack("<4sIIQ", b"MKF1", len(head), 1, 10) + head + bytes(10)
    other.sendall(frame[:kept])
    other.close()
    with pytest.raises(BrokenChannel, match="bytes more of a frame"):
        receiver.receive()


@pytest.mark.parametrize(
    "prefix",
    [
        b"HTTP/1.1 200",
        struct.pack("<4sII", b"MKF1", 2**31, 0),
        struct.pack("<4sII", b"MKF1", 2, 2**20),
        struct.pack("<4sIIQ", b"MKF1", 2, 1, 2**40),
        struct.pack("<4sII", b"MKF1", 2, 0) + b"[]",
        struct.pack("<4sII", b"MKF1", 22, 0) + b'{"tree":7,"leaves":[]}',
    ],
)
def test_a_garbled_or_oversized_frame_is_a_broken_channel(
    ends: tuple[Channel, socket.socket], prefix: bytes
) -> None:
    receiver, other = ends
    other.sendall(prefix)
    with pytest.raises(BrokenChannel):
        receiver.receive()


def test_sending_to_nobody_is_a_broken_channel(ends: tuple[Channel, socket.socket]) -> None:
    sender, other = ends
    other.close()
    with pytest.raises(BrokenChannel, match="the other end"):
        sender.send({"x": 1})


def test_what_is_too_much_for_a_frame_is_refused_before_anything_is_sent(
    ends: tuple[Channel, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, other = ends
    monkeypatch.setattr(room, "MAX_FRAME_BYTES", 10)
    with pytest.raises(InvalidValue, match="10 bytes"):
        sender.send({"x": bytes(11)})
    with pytest.raises(InvalidValue):
        sender.send({"x": object()})
    sender.send({"x": bytes(10)})
    assert Channel(other).receive() == {"x": bytes(10)}


def test_hanging_up_wakes_a_receiver(ends: tuple[Channel, socket.socket]) -> None:
    receiver, _ = ends
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(receiver.receive()))
    thread.start()
    receiver.hang_up()
    thread.join(30)
    assert found == [None]
    receiver.close()
