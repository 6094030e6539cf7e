# SPDX-License-Identifier: Apache-2.0
"""Where bytes come from in this project: the sources, and one fetch at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from modelkeep import sources
from modelkeep.fetch.engine import Fetcher
from modelkeep.keep.network import find_network
from modelkeep.keep.pip_settings import read_pip_settings
from modelkeep.keep.settings import Settings
from modelkeep.spec.emit import Emit
from modelkeep.spec.listing import Origin
from modelkeep.store.tree import Tree

if TYPE_CHECKING:
    from modelkeep.wire.client import Client


class Supply:
    """Makes sources as they are asked for; the HTTP client only when one needs it.

    Args:
        folder: the project's, from which relative ``file:`` paths start.
    """

    def __init__(
        self,
        tree: Tree,
        settings: Settings,
        *,
        environment: Mapping[str, str],
        folder: Path,
        emit: Emit,
    ) -> None:
        home = Path(environment.get("HOME") or Path.home())
        pip = read_pip_settings(environment, home)
        self.network = find_network(settings, pip, environment=environment, home=home)
        self._limit_bytes = settings.number("store.max_size")
        self._tree = tree
        self._emit = emit
        self._making = threading.RLock()
        self._client: Client | None = None
        self._made: dict[str, sources.Source] = {}
        self._context = sources.Context(
            client=self._open_client,
            hub=settings.text("fetch.hub"),
            indexes=pip.indexes,
            folder=folder,
            offline=settings.flag("fetch.offline"),
        )

    def _open_client(self) -> Client:
        from modelkeep.wire.client import Client

        with self._making:
            if self._client is None:
                self._client = Client(self.network, self._emit)
            return self._client

    def source(self, scheme: str) -> sources.Source:
        """The source of a scheme, the same each time.

        Raises:
            InvalidValue: there is none.
        """
        with self._making:
            if scheme not in self._made:
                self._made[scheme] = sources.find(scheme, self._context)
            return self._made[scheme]

    @contextmanager
    def fetcher(self) -> Iterator[Fetcher]:
        """One fetch into the store; connections are closed after it."""
        try:
            with Fetcher(
                self._tree,
                self.source,
                network=self.network,
                limit_bytes=self._limit_bytes,
                emit=self._emit,
            ) as fetcher:
                yield fetcher
        finally:
            if self._client is not None:
                self._client.close()
                self._client = None

    def head(self, origin: Origin, path: str, most_bytes: int) -> bytes:
        """The first bytes of a file at its source, without fetching the rest.

        Raises:
            SourceError: as the source raised it, after every retry.
        """
        from modelkeep.wire.retry import retrying

        source = self.source(origin.source.partition(":")[0])
        head = b""
        for attempt in retrying(self.network, f"{origin.source}: {path}", self._emit):
            with attempt, closing(source.open(origin, path, 0)) as stream:
                head = b""
                for piece in stream:
                    head += piece
                    if len(head) >= most_bytes:
                        break
        return head[:most_bytes]
