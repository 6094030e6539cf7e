# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Ran:
    """One command's end."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Shell:
    """Runs modelkeep in a project's folder, as a user would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "project"
        self.folder.mkdir()
        self.home = folder / "store"
        self.variables = {
            **os.environ,
            "MODELKEEP_HOME": str(self.home),
            "PIP_NO_INDEX": "1",
            "MODEL_DOWNLOAD_MAX_RETRIES": "1",
            "MODEL_DOWNLOAD_RETRY_DELAY": "0.01",
        }

    def __call__(self, *arguments: str, code: int = 0, **variables: str) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "modelkeep", *arguments],
            cwd=self.folder,
            env={**self.variables, **variables},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        ran = Ran(done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in ran.err, ran.err
        assert ran.code == code, ran
        return ran

    def wishes(self, text: str) -> None:
        (self.folder / "models.toml").write_text(text)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "a.bin").write_bytes(b"a" * 2000)
    (weights / "b.txt").write_bytes(b"b")
    return Shell(tmp_path)
