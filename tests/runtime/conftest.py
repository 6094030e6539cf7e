# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from runtime.stage import Stage, wait_until


@pytest.fixture(autouse=True)
def _no_child_is_left() -> Iterator[None]:
    """Every process that a test started has ended and was reaped."""
    before = {child.pid for child in psutil.Process().children()}
    yield
    deadline = time.monotonic() + 20
    while True:
        left = [child for child in psutil.Process().children() if child.pid not in before]
        if not left or time.monotonic() > deadline:
            break
        time.sleep(0.02)
    assert not left


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Pools on a folder of models, closed at the end."""
    made = Stage(tmp_path)
    yield made
    made.close()


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    return wait_until
