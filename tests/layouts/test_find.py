# SPDX-License-Identifier: Apache-2.0
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from modelkeep import layouts
from modelkeep.layouts.base import Placement
from modelkeep.spec.errors import InvalidValue
from modelkeep.spec.lock import LockedModel


class Flat:
    """A plugin's layout."""

    def place(self, models: Sequence[LockedModel]) -> Sequence[Placement]:
        return [Placement(model.name, model.manifest.files[0].digest) for model in models]

    def folder(self, model: LockedModel) -> str:
        return ""

    def variables(self, root: Path) -> Mapping[str, str]:
        return {"FLAT": str(root)}


@pytest.mark.parametrize("name", ["plain", "huggingface"])
def test_a_built_in_layout_is_found_by_its_name(name: str) -> None:
    assert type(layouts.find(name)).__name__.lower() == name


@pytest.mark.parametrize("name", ["", "none", "Plain", "../plain"])
def test_an_unknown_layout_is_refused_with_those_that_are_known(name: str) -> None:
    with pytest.raises(InvalidValue, match="layout: expected one of plain, huggingface"):
        layouts.find(name)


def test_a_plugins_layout_is_found_and_cannot_replace_a_built_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "flat-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: flat\nVersion: 1.0\n")
    entry = f"{__name__}:Flat"
    (info / "entry_points.txt").write_text(
        f"[modelkeep.layouts]\nflat = {entry}\nplain = {entry}\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert isinstance(layouts.find("flat"), Flat)
    assert not isinstance(layouts.find("plain"), Flat)
