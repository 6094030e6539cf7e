# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from modelkeep import loaders
from modelkeep.loaders.base import LoadSpec
from modelkeep.loaders.mock import MockLoader
from modelkeep.spec.errors import InvalidValue, LoadFailed

PLUGIN = """
class Echo:
    class schema:
        inputs = outputs = ()
    def predict(self, inputs):
        return inputs
    def close(self):
        pass

class EchoLoader:
    def weigh(self, spec):
        return 7
    def load(self, spec):
        return Echo()

ready_made = EchoLoader()
no_loader = object()

class Moody:
    def __init__(self):
        raise RuntimeError("not today")
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "echo_plugin.py").write_text(PLUGIN)
    info = tmp_path / "echo_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: echo-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[modelkeep.loaders]\n"
        "echo = echo_plugin:EchoLoader\n"
        "ready = echo_plugin:ready_made\n"
        "hollow = echo_plugin:no_loader\n"
        "moody = echo_plugin:Moody\n"
        "mock = echo_plugin:EchoLoader\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "echo_plugin", raising=False)


@pytest.mark.parametrize("name", loaders.NAMES)
def test_every_built_in_name_gives_a_loader(name: str) -> None:
    loader = loaders.find(name)
    assert callable(loader.load)
    assert callable(loader.weigh)


def test_an_unknown_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(InvalidValue, match=r"mock, onnx, python, sentence-transformers.*'onxx'"):
        loaders.find("onxx")


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize("name", ["echo", "ready"])
def test_a_package_adds_a_loader_as_a_class_or_as_an_object(name: str) -> None:
    spec = LoadSpec("e", Path("/nowhere"), name)
    assert loaders.find(name).weigh(spec) == 7
    assert loaders.load(spec).predict({"x": 1}) == {"x": 1}


@pytest.mark.usefixtures("plugin")
def test_a_package_cannot_replace_a_built_in_loader() -> None:
    assert isinstance(loaders.find("mock"), MockLoader)


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(("name", "got"), [("hollow", "object object"), ("moody", "not today")])
def test_a_package_that_offers_no_loader_is_told_so(name: str, got: str) -> None:
    with pytest.raises(InvalidValue, match=got):
        loaders.find(name)


def test_importing_the_rooms_imports_no_framework() -> None:
    code = (
        "import sys, modelkeep.loaders, modelkeep.runtime, modelkeep.runtime.pool\n"
        "import modelkeep.runtime.worker, modelkeep.loaders.mock, modelkeep.loaders.onnx\n"
        "import modelkeep.loaders.python, modelkeep.loaders.sentence_transformers\n"
        "print([m for m in ('numpy', 'onnxruntime', 'torch', 'psutil') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_load_turns_what_a_loader_raises_into_a_failed_load(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"this is no protobuf")
    with pytest.raises(LoadFailed, match="model m: expected the loader onnx to load it, got Inv"):
        loaders.load(LoadSpec("m", tmp_path, "onnx"))
