# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import importlib.machinery
import sys
from importlib.abc import MetaPathFinder

import pytest

from modelkeep.keep.extras import lacking, require
from modelkeep.spec.errors import MissingExtra


def test_what_is_installed_is_not_lacking_and_other_extras_need_nothing() -> None:
    assert lacking("server") == []
    assert lacking("python") == []
    require("server", "serving")


def test_a_module_that_is_not_installed_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The interpreter's own finders are asked to find nothing, as on a small install."""
    finders: list[MetaPathFinder] = [importlib.machinery.BuiltinImporter()]  # type: ignore[list-item]
    monkeypatch.setattr(sys, "meta_path", finders)
    for name in ("numpy", "psutil", "starlette", "uvicorn"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert lacking("server") == ["numpy", "psutil", "starlette", "uvicorn"]
    with pytest.raises(MissingExtra) as caught:
        require("server", "modelkeep serve")
    assert (caught.value.package, caught.value.extra) == ("numpy", "server")
