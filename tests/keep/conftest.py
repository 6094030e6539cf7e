# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from modelkeep.keep.api import Keep
from modelkeep.spec.emit import Event

MakeKeep = Callable[..., Keep]


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def make(tmp_path: Path, events: list[Event]) -> MakeKeep:
    """Writes models.toml, if one is given, and opens the project; the home is empty."""

    def open_keep(text: str | None = None, profile: str | None = None, **variables: str) -> Keep:
        folder = tmp_path / "project"
        folder.mkdir(exist_ok=True)
        if text is not None:
            (folder / "models.toml").write_text(text)
        environment = {
            **os.environ,
            "HOME": str(tmp_path / "home"),
            "MODELKEEP_HOME": str(tmp_path / "store"),
            "PIP_CONFIG_FILE": "/dev/null",
            "PIP_NO_INDEX": "1",
            "MODEL_DOWNLOAD_MAX_RETRIES": "1",
            "MODEL_DOWNLOAD_RETRY_DELAY": "0.01",
            **variables,
        }
        return Keep.open(folder, profile=profile, environment=environment, emit=events.append)

    return open_keep


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A folder of files beside the project."""
    folder = tmp_path / "weights"
    (folder / "sub").mkdir(parents=True)
    (folder / "model.bin").write_bytes(b"weights" * 1000)
    (folder / "sub" / "config.json").write_bytes(b"{}")
    return folder
