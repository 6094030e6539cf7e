# SPDX-License-Identifier: Apache-2.0
"""Our own values as plain trees, for the way between parent and worker. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modelkeep.loaders.base import LoadSpec
from modelkeep.spec import errors
from modelkeep.spec.errors import KeepError
from modelkeep.spec.tensor import Schema, TensorSpec

_KINDS: dict[str, type[KeepError]] = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, KeepError)
}


def tree_of_error(error: KeepError) -> dict[str, Any]:
    """The error's kind and values; a kind of a plugin's own travels as the nearest of ours."""
    kind = next(base.__name__ for base in type(error).__mro__ if _KINDS.get(base.__name__) is base)
    fields = {
        key: value
        for key, value in vars(error).items()
        if value is None or isinstance(value, (str, int))
    }
    return {"kind": kind, "fields": fields}


def error_of_tree(tree: Mapping[str, Any]) -> KeepError:
    """The same error, without asking its constructor, which takes other arguments per kind."""
    kind, fields = _KINDS.get(tree["kind"], KeepError), tree["fields"]
    error = kind.__new__(kind)
    KeepError.__init__(error, *(str(fields.get(key)) for key in ("subject", "expected", "got")))
    vars(error).update(fields)
    return error


def tree_of_spec(spec: LoadSpec) -> dict[str, Any]:
    """All fields; paths as texts."""
    code_folder = spec.code_folder
    return {
        "name": spec.name,
        "folder": str(spec.folder),
        "loader": spec.loader,
        "device": spec.device,
        "options": spec.options,
        "code_folder": None if code_folder is None else str(code_folder),
        "allow_pickle": spec.allow_pickle,
        "allow_code": spec.allow_code,
    }


def spec_of_tree(tree: Mapping[str, Any]) -> LoadSpec:
    """What ``tree_of_spec`` wrote."""
    code_folder = tree["code_folder"]
    paths = {
        "folder": Path(tree["folder"]),
        "code_folder": None if code_folder is None else Path(code_folder),
    }
    return LoadSpec(**{**tree, **paths})


def tree_of_schema(schema: Schema) -> dict[str, Any]:
    """Rows of name, datatype, shape."""
    return {
        "inputs": [[one.name, one.datatype, list(one.shape)] for one in schema.inputs],
        "outputs": [[one.name, one.datatype, list(one.shape)] for one in schema.outputs],
        "platform": schema.platform,
    }


def schema_of_tree(tree: Mapping[str, Any]) -> Schema:
    """What ``tree_of_schema`` wrote."""
    inputs, outputs = (
        tuple(TensorSpec.of(row) for row in tree[side]) for side in ("inputs", "outputs")
    )
    return Schema(inputs, outputs, tree["platform"])
