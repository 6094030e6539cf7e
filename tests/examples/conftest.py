# SPDX-License-Identifier: Apache-2.0
"""The quickstart's modules, as its own demo sees them; and what several tests draw or record."""

from __future__ import annotations

import io
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

QUICKSTART = Path(__file__).resolve().parents[2] / "examples" / "quickstart"
sys.path.insert(0, str(QUICKSTART))


@pytest.fixture(scope="session")
def quickstart() -> Path:
    """The example's folder."""
    return QUICKSTART


@pytest.fixture(scope="session")
def one() -> Callable[..., Any]:
    """Bytes as a model gets them: an object array."""

    def array(*values: bytes) -> Any:
        made = np.empty(len(values), object)
        made[:] = values
        return made

    return array


@pytest.fixture(scope="session")
def wav() -> Callable[..., bytes]:
    """A WAV file of 16-bit samples, shape [frames] or [frames, channels]."""

    def write(samples: Any, rate: int = 16_000, width: int = 2) -> bytes:
        frames = np.asarray(samples)
        file = io.BytesIO()
        with wave.open(file, "wb") as recording:
            recording.setnchannels(frames.shape[1] if frames.ndim == 2 else 1)
            recording.setsampwidth(width)
            recording.setframerate(rate)
            recording.writeframes(frames.astype({1: "u1", 2: "<i2"}[width]).tobytes())
        return file.getvalue()

    return write
