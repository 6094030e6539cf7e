# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from modelkeep import sources
from modelkeep.fetch.engine import Fetcher
from modelkeep.sources.base import Source
from modelkeep.spec.emit import Event
from modelkeep.spec.settings import Network, PackageIndexes
from modelkeep.store.tree import Tree
from modelkeep.wire.client import Client

QUICK = Network(retries=2, retry_delay_s=0.01, timeout_s=2.0, connections=4)


class Bench:
    """A store and the means to fetch into it, quick to give up."""

    def __init__(self, folder: Path) -> None:
        self.tree = Tree(folder / "store")
        self.folder = folder
        self.events: list[Event] = []
        self.limit_bytes = 10**12
        self._clients: list[Client] = []

    def find(self, network: Network) -> Callable[[str], Source]:
        client = Client(network)
        self._clients.append(client)
        context = sources.Context(
            lambda: client, "http://127.0.0.1:9", PackageIndexes(()), self.folder
        )
        return lambda scheme: sources.find(scheme, context)

    @contextmanager
    def fetcher(self, network: Network = QUICK) -> Iterator[Fetcher]:
        with Fetcher(
            self.tree,
            self.find(network),
            network=network,
            limit_bytes=self.limit_bytes,
            emit=self.events.append,
        ) as fetcher:
            yield fetcher

    def leftovers(self) -> list[str]:
        """Names under tmp/ and locks/."""
        return [p.name for folder in (self.tree.tmp, self.tree.locks) for p in folder.iterdir()]

    def close(self) -> None:
        for client in self._clients:
            client.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()
