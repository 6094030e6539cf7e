# SPDX-License-Identifier: Apache-2.0
"""Things that are made once, however many threads ask for them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Once(Generic[T]):
    """By name; different names are made at the same time. What failed may be tried again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: dict[str, threading.Lock] = {}
        self._made: dict[str, T] = {}

    def get(self, name: str, make: Callable[[], T]) -> T:
        """The one thing of that name, made by who comes first."""
        with self._lock:
            turn = self._turns.setdefault(name, threading.Lock())
        with turn:
            if name not in self._made:
                self._made[name] = make()
            return self._made[name]
