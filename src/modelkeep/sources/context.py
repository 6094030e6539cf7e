# SPDX-License-Identifier: Apache-2.0
"""What a source is given to work with, as values and one callable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modelkeep.spec.errors import Offline
from modelkeep.spec.settings import PackageIndexes

if TYPE_CHECKING:
    from modelkeep.wire.client import Client


@dataclass(frozen=True, slots=True)
class Context:
    """Settings of one project and run.

    Attributes:
        client: gives the HTTP client, the same each time; called only when one is
            needed, so that local sources never import it.
        hub: endpoint of the Hugging Face Hub or a mirror; may have a path.
        indexes: where ``pypi:`` looks.
        folder: what relative ``file:`` paths start from.
        offline: no source may use the network.
    """

    client: Callable[[], Client]
    hub: str
    indexes: PackageIndexes
    folder: Path
    offline: bool = False

    def online(self, subject: str) -> Client:
        """The client.

        Raises:
            Offline: the settings forbid the network; the client was not called.
        """
        if self.offline:
            raise Offline(subject, "a network", "settings that say offline")
        return self.client()
