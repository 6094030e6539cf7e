# SPDX-License-Identifier: Apache-2.0
"""Plain files: one folder per model, with the paths that its manifest has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from modelkeep.layouts.base import Link, Placement
from modelkeep.spec.lock import LockedModel


class Plain:
    """``<name>/<path>``."""

    def place(self, models: Sequence[LockedModel]) -> Sequence[Placement]:
        """Symlinks; hard links for ONNX with files beside it.

        onnxruntime (tried: 1.31) resolves a symlinked model and then looks for its
        external data beside the blob, where they are not.
        """
        return [
            Placement(f"{model.name}/{row.path}", row.digest, _link(model))
            for model in models
            for row in model.manifest.files
        ]

    def folder(self, model: LockedModel) -> str:
        """The model's name."""
        return model.name

    def variables(self, root: Path) -> Mapping[str, str]:
        """None: who reads plain files is given a path."""
        return {}


def _link(model: LockedModel) -> Link:
    paths = [row.path for row in model.manifest.files]
    beside = len(paths) > 1 and any(path.endswith(".onnx") for path in paths)
    return Link.HARDLINK if beside else Link.SYMLINK
