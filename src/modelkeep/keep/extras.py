# SPDX-License-Identifier: Apache-2.0
"""Which optional packages are installed; looks, and imports none."""

from __future__ import annotations

from importlib.util import find_spec

from modelkeep.spec.errors import MissingExtra

# extra → modules that it must bring
_MODULES = {
    "server": ("numpy", "psutil", "starlette", "uvicorn"),
    "onnx": ("onnxruntime",),
    "sentence-transformers": ("sentence_transformers",),
}


def lacking(extra: str) -> list[str]:
    """Modules of an extra that are not installed; none for an extra that is not ours."""
    return [name for name in _MODULES.get(extra, ()) if find_spec(name) is None]


def require(extra: str, subject: str) -> None:
    """Refuse early what would fail at an import.

    Raises:
        MissingExtra: naming the first module that is not there.
    """
    for name in lacking(extra):
        raise MissingExtra(subject, name, extra)
