# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterator

import pytest

from servers.origin import Origin


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin({"/f": bytes(range(256)) * 8000}) as server:
        yield server


@pytest.fixture
def other() -> Iterator[Origin]:
    with Origin({"/f": b"from elsewhere"}) as server:
        yield server
