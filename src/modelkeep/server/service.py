# SPDX-License-Identifier: Apache-2.0
"""What the server asks of whoever runs the models."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Protocol

from modelkeep.loaders.base import Values
from modelkeep.runtime.phases import Overview
from modelkeep.runtime.served import Answer


class Service(Protocol):
    """The running models. Nothing here blocks: it is called on the event loop."""

    def overview(self) -> Overview:
        """All slots as they are now."""
        ...

    def predict(self, name: str, values: Values) -> Future[Answer]:
        """The answer to come, perhaps from the slot's fallback.

        Raises, at once or by the future:
            UnknownModel: no slot has that name.
            NotReady: the slot cannot answer now.
            BadInput: these values are not what the model takes.
            PredictFailed: the model raised.
            LoadFailed: it had to be loaded first, and that failed.
        """
        ...

    def load(self, name: str) -> Future[None]:
        """Done when the slot is ready.

        Raises, at once or by the future:
            UnknownModel: no slot has that name.
            LoadFailed: it could not be loaded.
        """
        ...

    def unload(self, name: str) -> Future[None]:
        """Done when the slot is empty.

        Raises, at once or by the future:
            UnknownModel: no slot has that name.
        """
        ...
