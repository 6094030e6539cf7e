# SPDX-License-Identifier: Apache-2.0
"""What a loader is given and what it must return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from modelkeep.spec.tensor import Schema

Values = Mapping[str, Any]
"""Named values: numpy arrays (BYTES: object arrays of bytes), or, where a model
declares no schema, plain JSON values and bytes."""


@dataclass(frozen=True)
class LoadSpec:
    """What models.toml says about running a model, as plain data (it crosses to a worker).

    Attributes:
        folder: where the view shows the model's files; for ``mock`` it may not exist.
        loader: the loader's name.
        device: ``cpu``, ``cuda``, ``cuda:1``, …; None lets the loader choose the CPU.
        options: the requirement's free table.
        code_folder: the project's folder, where a ``python`` loader's module is found.
    """

    name: str
    folder: Path
    loader: str
    device: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    code_folder: Path | None = None
    allow_pickle: bool = False
    allow_code: bool = False


class Model(Protocol):
    """A model that answers. One call at a time; ``close`` once."""

    schema: Schema

    def predict(self, inputs: Values) -> Values:
        """Answer.

        Raises:
            BadInput: these inputs are not what the model takes.
            Exception: whatever the framework raises; the caller reports it.
        """
        ...

    def close(self) -> None:
        """Let go of what is not memory: files, threads, device contexts."""
        ...


class Loader(Protocol):
    """One framework."""

    def weigh(self, spec: LoadSpec) -> int:
        """Bytes that the model will take, estimated from its files, before loading."""
        ...

    def load(self, spec: LoadSpec) -> Model:
        """Make the live model.

        Raises:
            MissingExtra: the framework is not installed.
            LoadFailed: anything the framework raised, or an option it does not have.
            ForbiddenFormat: pickle or code without permission.
        """
        ...
