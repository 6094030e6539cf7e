# SPDX-License-Identifier: Apache-2.0
"""Small ONNX files, made on the spot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def _save(graph: onnx.GraphProto, path: Path) -> Path:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path


def double(path: Path, shape: Sequence[int | str | None] = ("n", 3)) -> Path:
    """y = x + x, floats."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)
    node = helper.make_node("Add", ["x", "x"], ["y"])
    return _save(helper.make_graph([node], "double", [x], [y]), path)


def passing(path: Path, kinds: dict[str, int]) -> Path:
    """Each input ``in_NAME`` comes out as ``out_NAME``."""
    inputs = [
        helper.make_tensor_value_info(f"in_{name}", kind, ["n"]) for name, kind in kinds.items()
    ]
    outputs = [
        helper.make_tensor_value_info(f"out_{name}", kind, ["n"]) for name, kind in kinds.items()
    ]
    nodes = [helper.make_node("Identity", [f"in_{name}"], [f"out_{name}"]) for name in kinds]
    return _save(helper.make_graph(nodes, "passing", inputs, outputs), path)


def sum_of_two(path: Path) -> Path:
    """c = a + b, whose lengths only the session can compare."""
    a, b, c = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [name]) for name in "abc")
    node = helper.make_node("Add", ["a", "b"], ["c"])
    return _save(helper.make_graph([node], "sum", [a, b], [c]), path)


def embedding(path: Path) -> Path:
    """Rows of a table of two rows and two columns."""
    table = numpy_helper.from_array(np.arange(4, dtype=np.float32).reshape(2, 2), "table")
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["n"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])
    node = helper.make_node("Gather", ["table", "ids"], ["y"])
    return _save(helper.make_graph([node], "rows", [ids], [y], initializer=[table]), path)


def any_rank(path: Path) -> Path:
    """y = -x for an input whose rank nobody knows."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, None)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    return _save(helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "neg", [x], [y]), path)


def sequence_out(path: Path, *, also_tensor: bool) -> Path:
    """An output that is a sequence of tensors, beside a plain one or alone."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])
    many = helper.make_tensor_sequence_value_info("many", TensorProto.FLOAT, None)
    nodes = [helper.make_node("SequenceConstruct", ["x", "x"], ["many"])]
    outputs = [many]
    if also_tensor:
        nodes.append(helper.make_node("Identity", ["x"], ["one"]))
        outputs.append(helper.make_tensor_value_info("one", TensorProto.FLOAT, ["n"]))
    return _save(helper.make_graph(nodes, "many", [x], outputs), path)


def sequence_in(path: Path) -> Path:
    """An input that is a sequence of tensors."""
    many = helper.make_tensor_sequence_value_info("many", TensorProto.FLOAT, None)
    length = helper.make_tensor_value_info("length", TensorProto.INT64, [])
    node = helper.make_node("SequenceLength", ["many"], ["length"])
    return _save(helper.make_graph([node], "length", [many], [length]), path)


def with_external_data(path: Path) -> Path:
    """y = x + w, with w in a file beside the model."""
    w = numpy_helper.from_array(np.arange(1000, dtype=np.float32), "w")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1000])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1000])
    node = helper.make_node("Add", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "outside", [x], [y], initializer=[w])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(
        model, path, save_as_external_data=True, location=f"{path.name}.data", size_threshold=0
    )
    return path
