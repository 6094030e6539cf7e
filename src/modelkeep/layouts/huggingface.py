# SPDX-License-Identifier: Apache-2.0
"""The cache of huggingface_hub, which transformers, diffusers and others read.

Form read from huggingface_hub 2.4.0 (``file_download.py``, ``_tree_cache.py``)
and tried with 0.36, 1.33 and 2.4; see docs/design.md for the traps.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from modelkeep.layouts.base import Placement
from modelkeep.spec.errors import InvalidValue
from modelkeep.spec.lock import LockedModel
from modelkeep.spec.manifest import FileRow

_COMMIT = re.compile(r"[0-9a-f]{40}")


class HuggingFace:
    """``hub/models--org--name/{refs,snapshots,trees}``."""

    def place(self, models: Sequence[LockedModel]) -> Sequence[Placement]:
        """Snapshots, refs and trees.

        A tree lists exactly the locked files: clients of 1.22 and later, offline
        and with no tree, raise. Where two models show one repository at two
        commits, a branch's name stays with the model whose name comes first.
        """
        placements: list[Placement] = []
        refs: dict[str, str] = {}
        trees: dict[str, dict[str, FileRow]] = {}
        for model in models:
            home, commit = _home(model), _commit(model)
            for ref in {"main", model.origins[0].ref} - {"", commit}:
                refs.setdefault(f"{home}/refs/{ref}", commit)
            tree = trees.setdefault(f"{home}/trees/{commit}.json", {})
            for row in model.manifest.files:
                tree.setdefault(row.path, row)
                path = f"{home}/snapshots/{commit}/{row.path}"
                placements.append(Placement(path, row.digest))
        # Exactly 40 characters: a newline at the end breaks every client.
        placements += [Placement(path, commit.encode()) for path, commit in refs.items()]
        placements += [Placement(path, _tree(rows)) for path, rows in trees.items()]
        return placements

    def folder(self, model: LockedModel) -> str:
        """The snapshot's folder."""
        return f"{_home(model)}/snapshots/{_commit(model)}"

    def variables(self, root: Path) -> Mapping[str, str]:
        """The cache's place under all names that are read, and every offline switch."""
        hub = str(root / "hub")
        return {
            "HF_HUB_CACHE": hub,
            "HUGGINGFACE_HUB_CACHE": hub,
            "SENTENCE_TRANSFORMERS_HOME": hub,
            "HF_HUB_OFFLINE": "1",
            "TRANSFORMERS_OFFLINE": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "DISABLE_SAFETENSORS_CONVERSION": "1",
        }


def _home(model: LockedModel) -> str:
    """``hub/models--org--name``; spaces and datasets have their own prefixes."""
    body = model.layout.repository
    if not body:
        body = model.origins[0].source.removeprefix("hf:")
        if body == model.origins[0].source:
            expected = "layout = 'huggingface:org/name', since its source is no Hub repository"
            raise InvalidValue(f"model {model.name}: layout", expected, "'huggingface'")
    kind, slash, rest = body.partition("/")
    if not slash or kind not in ("datasets", "spaces"):
        kind, rest = "models", body
    return f"hub/{kind}--{rest.replace('/', '--')}"


def _commit(model: LockedModel) -> str:
    """The Hub's commit; for bytes from elsewhere 40 digits of the identity."""
    revision = model.origins[0].revision
    return revision if _COMMIT.fullmatch(revision) else model.identity.hex[:40]


def _tree(rows: Mapping[str, FileRow]) -> bytes:
    files = {
        path: {
            "size": row.size_bytes,
            "blob_id": row.digest.hex[:40],
            "lfs_sha256": row.digest.hex,
            "lfs_size": row.size_bytes,
        }
        for path, row in sorted(rows.items())
    }
    return json.dumps({"format_version": 1, "files": files}, ensure_ascii=False).encode()
