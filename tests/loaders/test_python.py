# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelkeep import loaders
from modelkeep.loaders.base import LoadSpec
from modelkeep.loaders.python import PythonLoader
from modelkeep.spec.errors import BadInput, LoadFailed, PredictFailed

MODULE = '''
class Scale:
    """Declares what it takes."""
    inputs = [("x", "FP32", [-1]), ("note", "BYTES", [1])]
    outputs = [("y", "FP32", [-1])]

    def __init__(self, *, factor=1.0):
        self.factor = factor

    def load(self, folder):
        self.offset = float((folder / "offset.txt").read_text())

    def predict(self, inputs):
        assert inputs["note"].dtype == object
        if inputs["note"][0] == b"wrong shape":
            return {"y": [[1.0]]}
        if inputs["note"][0] == b"other name":
            return {"z": 1}
        if inputs["note"][0] == b"refuse":
            raise ValueError("nothing to scale")
        return {"y": [float(v) * self.factor + self.offset for v in inputs["x"]]}

class Loose:
    """Declares nothing."""
    closed = False
    def load(self, folder): pass
    def predict(self, inputs):
        return {"seen": sorted(inputs), "types": [type(v).__name__ for v in inputs.values()]}
    def close(self): type(self).closed = True

class Late(Loose):
    """Knows its shapes once it is loaded."""
    def load(self, folder): self.inputs = [("x", "INT64", (2,))]

class Odd(Loose):
    inputs = "x"
class Odder(Loose):
    inputs = [("x", "FLOAT", [1])]
class Twice(Loose):
    inputs = [("x", "FP32", [1]), ("x", "FP32", [1])]
class Minus(Loose):
    outputs = [("x", "FP32", [-2])]
class Mute:
    def load(self, folder): pass
class Angry(Loose):
    def load(self, folder): raise ValueError("bad file")
number = 3
'''


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "scaling_models.py").write_text(MODULE)
    (folder / "broken_models.py").write_text("import no_such_thing_at_all\n")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "offset.txt").write_text("0.5")
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("scaling_models", "broken_models"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return folder


def spec(project: Path | None, named: Any, **options: Any) -> LoadSpec:
    folder = project.parent / "weights" if project else Path("/nowhere")
    options = {"class": named, **options}
    return LoadSpec("m", folder, "python", options=options, code_folder=project)


def test_a_class_of_the_project_loads_with_its_options(project: Path) -> None:
    model = loaders.load(spec(project, "scaling_models:Scale", factor=2))
    assert [one.name for one in model.schema.inputs] == ["x", "note"]
    answer = model.predict({"x": [1, 2], "note": "hi"})
    assert answer["y"].dtype == np.float32
    assert answer["y"].tolist() == [2.5, 4.5]
    model.close()


def test_values_pass_as_they_are_where_nothing_is_declared(project: Path) -> None:
    model = loaders.load(spec(project, "scaling_models:Loose"))
    answer = model.predict({"b": 1, "a": "text"})
    assert answer == {"seen": ["a", "b"], "types": ["int", "str"]}
    model.close()
    assert sys.modules["scaling_models"].Loose.closed


def test_what_a_class_declares_while_it_loads_counts(project: Path) -> None:
    model = loaders.load(spec(project, "scaling_models:Late"))
    with pytest.raises(BadInput, match=r"input x: expected shape \[2\]"):
        model.predict({"x": [1]})


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"x": [1]}, "inputs: expected x, note, got x"),
        ({"x": ["a"], "note": "hi"}, "input x: expected FP32, got texts"),
        ({"x": [1], "note": ["a", "b"]}, r"input note: expected shape \[1\], got shape \[2\]"),
        ({"x": [1], "note": "refuse"}, "nothing to scale"),
    ],
)
def test_inputs_that_are_not_as_declared_are_refused(
    project: Path, values: dict[str, Any], text: str
) -> None:
    model = loaders.load(spec(project, "scaling_models:Scale"))
    with pytest.raises(BadInput, match=text):
        model.predict(values)


@pytest.mark.parametrize("note", ["wrong shape", "other name"])
def test_outputs_that_are_not_as_declared_are_a_failed_answer(project: Path, note: str) -> None:
    model = loaders.load(spec(project, "scaling_models:Scale"))
    with pytest.raises(PredictFailed, match="output"):
        model.predict({"x": [1], "note": note})


@pytest.mark.parametrize(
    ("named", "text"),
    [
        (None, "module:Class, got None"),
        (7, "option class: expected a text, got 7"),
        ("scaling_models", "module:Class, got 'scaling_models'"),
        ("scaling_models:", "module:Class"),
        ("scaling_models:Not There", "module:Class"),
        ("scaling_models:NotThere", "a class NotThere in scaling_models, got None"),
        ("scaling_models:number", "a class number in scaling_models, got 3"),
        ("no_such_module:X", "a module no_such_module in .*project or installed"),
        ("broken_models:X", "ModuleNotFoundError: No module named 'no_such_thing_at_all'"),
        ("scaling_models:Mute", "a class with the method predict, got Mute without it"),
        ("scaling_models:Angry", "ValueError: bad file"),
        ("scaling_models:Odd", "inputs: expected a list of .*, got 'x'"),
        ("scaling_models:Odder", "a datatype of .*, got FLOAT"),
        ("scaling_models:Twice", "each name once, got x, x"),
        ("scaling_models:Minus", r"sizes of -1 or more, got \[-2\]"),
    ],
)
def test_a_class_that_cannot_be_used_is_a_failed_load(project: Path, named: Any, text: str) -> None:
    with pytest.raises(LoadFailed, match=text):
        loaders.load(spec(project, named))


def test_an_option_that_the_constructor_does_not_take_is_a_failed_load(project: Path) -> None:
    with pytest.raises(LoadFailed, match=r"TypeError: .*fakctor"):
        loaders.load(spec(project, "scaling_models:Scale", fakctor=2))


def test_an_installed_module_needs_no_project_folder() -> None:
    with pytest.raises(LoadFailed, match="got Counter without it"):
        loaders.load(spec(None, "collections:Counter"))
    with pytest.raises(LoadFailed, match="a module no_such_module installed"):
        loaders.load(spec(None, "no_such_module:X"))


def test_the_weight_is_the_whole_folder(project: Path) -> None:
    assert PythonLoader().weigh(spec(project, "scaling_models:Scale")) == 3
