# SPDX-License-Identifier: Apache-2.0
"""Messages over one end of a Unix socket pair, between a parent and its worker.

A frame is: ``MKF1``, the head's length (u32) and the number of buffers
(u32), each buffer's length (u64), the head, the buffers; all little-endian.
Any thread may send; one thread receives.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Mapping
from typing import Any

from modelkeep.runtime.codec import MAX_HEAD_BYTES, BrokenChannel, decode, encode
from modelkeep.spec.errors import InvalidValue

MAX_BUFFERS = 65_536
MAX_FRAME_BYTES = 4 * 2**30
_MAGIC = b"MKF1"
_PREFIX = struct.Struct("<4sII")


class Channel:
    """One end."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._sending = threading.Lock()

    def send(self, message: Mapping[str, Any]) -> None:
        """Write one message whole; arrays go from where they lie.

        Raises:
            InvalidValue: the message holds what cannot travel; nothing was sent.
            BrokenChannel: the other end is gone.
        """
        frame = encode(message)
        sizes = [buffer.nbytes for buffer in frame.buffers]
        if len(sizes) > MAX_BUFFERS or sum(sizes) > MAX_FRAME_BYTES:
            expected = f"at most {MAX_BUFFERS} arrays and {MAX_FRAME_BYTES} bytes"
            raise InvalidValue("message", expected, f"{len(sizes)} and {sum(sizes)}")
        prefix = _PREFIX.pack(_MAGIC, len(frame.head), len(sizes))
        lengths = struct.pack(f"<{len(sizes)}Q", *sizes)
        with self._sending:
            try:
                self._socket.sendall(b"".join((prefix, lengths, frame.head)))
                for buffer in frame.buffers:
                    self._socket.sendall(buffer)
            except OSError as error:
                expected = "the other end to take a message"
                raise BrokenChannel("channel", expected, str(error)) from error

    def receive(self) -> dict[str, Any] | None:
        """The next message, or None where the other end has closed between two.

        Raises:
            BrokenChannel: a frame that is cut off, too large, or garbled.
        """
        prefix = self._read(_PREFIX.size, at_start=True)
        if not prefix:
            return None
        magic, head_bytes, count = _PREFIX.unpack(prefix)
        if magic != _MAGIC or head_bytes > MAX_HEAD_BYTES or count > MAX_BUFFERS:
            raise BrokenChannel("channel", "the start of a frame", prefix.hex())
        sizes = struct.unpack(f"<{count}Q", self._read(8 * count))
        if sum(sizes) > MAX_FRAME_BYTES:
            got = f"{sum(sizes)}"
            raise BrokenChannel("channel", f"at most {MAX_FRAME_BYTES} bytes in a frame", got)
        head = self._read(head_bytes)
        message = decode(head, [self._read(size) for size in sizes])
        if not isinstance(message, dict):
            raise BrokenChannel("channel", "a message with keys", type(message).__name__)
        return message

    def _read(self, size: int, *, at_start: bool = False) -> bytearray:
        data = bytearray(size)
        view, done = memoryview(data), 0
        while done < size:
            try:
                got = self._socket.recv_into(view[done:])
            except OSError:
                # A reset is how a killed process hangs up.
                got = 0
            if got == 0:
                if at_start and done == 0:
                    return bytearray()
                expected = f"{size} bytes more of a frame"
                raise BrokenChannel("channel", expected, f"{done} and the end")
            done += got
        return data

    def hang_up(self) -> None:
        """End both directions; whoever sends or receives here or there wakes up."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the descriptor back. Only once no thread uses this end any more."""
        self._socket.close()
