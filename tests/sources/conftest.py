# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelkeep.sources import Context
from modelkeep.spec.settings import Credential, Network, PackageIndexes
from modelkeep.wire.client import Client

MakeContext = Callable[..., Context]


@pytest.fixture
def context(tmp_path: Path) -> Iterator[MakeContext]:
    """Makes contexts; their clients are quick to give up and closed in the end."""
    clients: list[Client] = []

    def make(
        hub: str = "http://127.0.0.1:9",
        indexes: PackageIndexes | None = None,
        credentials: tuple[Credential, ...] = (),
        offline: bool = False,
        **settings: object,
    ) -> Context:
        quick = {"retries": 2, "retry_delay_s": 0.01, "timeout_s": 5.0, **settings}
        client = Client(Network(credentials=credentials, **quick))  # type: ignore[arg-type]
        clients.append(client)
        return Context(lambda: client, hub, indexes or PackageIndexes(()), tmp_path, offline)

    yield make
    for client in clients:
        client.close()
