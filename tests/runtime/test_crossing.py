# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import pytest

from modelkeep.loaders.base import LoadSpec
from modelkeep.runtime.crossing import (
    error_of_tree,
    schema_of_tree,
    spec_of_tree,
    tree_of_error,
    tree_of_schema,
    tree_of_spec,
)
from modelkeep.spec import errors
from modelkeep.spec.errors import KeepError
from modelkeep.spec.tensor import Schema, TensorSpec

THREE = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type)
    and issubclass(kind, KeepError)
    and kind.__init__ is KeepError.__init__
]


@pytest.mark.parametrize(
    "error",
    [
        *(kind("a", "b", "c") for kind in THREE),
        errors.MissingExtra("loader x", "onnxruntime", "onnx"),
        errors.MissingFile("pat", "a/b", "/store"),
        errors.InvalidDocument("models.toml", None, "models.pat", "a table", "a text"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_error_arrives_as_what_it_was(error: KeepError) -> None:
    found = error_of_tree(json.loads(json.dumps(tree_of_error(error))))
    assert type(found) is type(error)
    assert str(found) == str(error)
    assert vars(found) == vars(error)


def test_an_error_of_a_plugins_own_kind_arrives_as_the_nearest_of_ours() -> None:
    class Jammed(errors.PredictFailed):
        pass

    error = Jammed("a", "b", "c")
    error.stuck = object()  # type: ignore[attr-defined]
    found = error_of_tree(json.loads(json.dumps(tree_of_error(error))))
    assert type(found) is errors.PredictFailed
    assert str(found) == str(error)


def test_an_error_of_an_unknown_kind_is_still_ours() -> None:
    tree = {"kind": "Path", "fields": {"subject": "a", "expected": "b", "got": "c"}}
    assert type(error_of_tree(tree)) is KeepError


@pytest.mark.parametrize("code_folder", [None, Path("/project")])
def test_a_spec_arrives_as_it_was(code_folder: Path | None) -> None:
    spec = LoadSpec(
        "pat",
        Path("/view/pat"),
        "python",
        device="cuda:1",
        options={"class": "a:B", "deep": {"list": [1, 2.5]}},
        code_folder=code_folder,
        allow_code=True,
    )
    assert spec_of_tree(json.loads(json.dumps(tree_of_spec(spec)))) == spec


def test_a_schema_arrives_as_it_was() -> None:
    schema = Schema((TensorSpec("x", "BYTES", (-1, 2)),), (TensorSpec("y", "FP32", ()),), "onnx")
    assert schema_of_tree(json.loads(json.dumps(tree_of_schema(schema)))) == schema
