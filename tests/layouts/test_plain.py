# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from modelkeep.layouts.base import Link
from modelkeep.layouts.plain import Plain
from modelkeep.present import plan_view, present
from modelkeep.store.tree import Tree

from .made import hold, locked


def test_a_model_is_a_folder_of_its_name_with_its_own_paths() -> None:
    model = locked(layout="plain")
    placements = Plain().place([model, locked("tap", {"a": b"1"}, layout="plain")])
    assert [p.path for p in placements] == ["pat/config.json", "pat/onnx/model.bin", "tap/a"]
    assert Plain().folder(model) == "pat"
    assert Plain().variables(Path("/x")) == {}


@pytest.mark.parametrize(
    ("paths", "link"),
    [
        (["model.onnx"], Link.SYMLINK),
        (["model.bin", "config.json"], Link.SYMLINK),
        (["a/model.onnx", "a/model.onnx_data"], Link.HARDLINK),
    ],
)
def test_onnx_with_files_beside_it_is_hard_linked(paths: list[str], link: Link) -> None:
    model = locked(files={path: path.encode() for path in paths}, layout="plain")
    assert {placement.link for placement in Plain().place([model])} == {link}


def onnx_with_data_beside_it(folder: Path) -> dict[str, bytes]:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(np.arange(4096, dtype="float32"), "w")
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4096])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4096])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save_model(
        model,
        str(folder / "model.onnx"),
        save_as_external_data=True,
        location="model.onnx_data",
        size_threshold=0,
    )
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_onnxruntime_loads_a_model_with_its_data_beside_it(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    (tmp_path / "made").mkdir()
    files = onnx_with_data_beside_it(tmp_path / "made")
    assert sorted(files) == ["model.onnx", "model.onnx_data"]
    tree = Tree(tmp_path / "store")
    hold(tree, files.values())
    model = locked(files=files, layout="plain")
    view = plan_view(tree, [model])
    present(tree, view)
    path = view.path_of(model) / "model.onnx"
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {"x": np.ones(4096, "float32")})
    assert np.array_equal(y, np.arange(4096, dtype="float32") + 1)
    assert path.stat().st_nlink == 2
