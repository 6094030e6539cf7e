# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from loaders import onnx_models  # noqa: E402
from modelkeep import loaders  # noqa: E402
from modelkeep.loaders.base import LoadSpec  # noqa: E402
from modelkeep.loaders.onnx import OnnxLoader  # noqa: E402
from modelkeep.spec.errors import BadInput, LoadFailed, PredictFailed, UnsafePath  # noqa: E402
from modelkeep.spec.tensor import TensorSpec  # noqa: E402

KINDS = {
    "BOOL": ("BOOL", [True, False]),
    "UINT8": ("UINT8", [0, 255]),
    "UINT16": ("UINT16", [0, 65_535]),
    "UINT32": ("UINT32", [0, 2**32 - 1]),
    "UINT64": ("UINT64", [0, 2**64 - 1]),
    "INT8": ("INT8", [-128, 127]),
    "INT16": ("INT16", [-(2**15), 5]),
    "INT32": ("INT32", [-(2**31), 5]),
    "INT64": ("INT64", [-(2**63), 5]),
    "FLOAT16": ("FP16", [0.5, -1.0]),
    "FLOAT": ("FP32", [0.5, -1.0]),
    "DOUBLE": ("FP64", [0.1, -1.0]),
    "STRING": ("BYTES", [b"\xc3\xa9", b"b\x00c"]),
}


def spec(folder: Path, device: str | None = None, **options: Any) -> LoadSpec:
    return LoadSpec("m", folder, "onnx", device=device, options=options)


def test_the_only_file_of_a_folder_is_loaded_and_answers(tmp_path: Path) -> None:
    onnx_models.double(tmp_path / "sub" / "m.onnx")
    model = loaders.load(spec(tmp_path))
    assert model.schema.inputs == (TensorSpec("x", "FP32", (-1, 3)),)
    assert model.schema.outputs == (TensorSpec("y", "FP32", (-1, 3)),)
    assert model.predict({"x": [[1, 2.5, 3]]})["y"].tolist() == [[2, 5, 6]]
    model.close()


@pytest.mark.parametrize("kind", KINDS)
def test_every_tensor_type_goes_in_and_out_unchanged(tmp_path: Path, kind: str) -> None:
    datatype, given = KINDS[kind]
    onnx_models.passing(tmp_path / "m.onnx", {"a": onnx.TensorProto.DataType.Value(kind)})
    model = loaders.load(spec(tmp_path))
    assert model.schema.inputs == (TensorSpec("in_a", datatype, (-1,)),)
    answer = model.predict({"in_a": given})["out_a"]
    assert answer.tolist() == given


def test_several_files_need_the_option_file(tmp_path: Path) -> None:
    onnx_models.double(tmp_path / "a.onnx")
    onnx_models.double(tmp_path / "b.onnx")
    with pytest.raises(LoadFailed, match=r"one \*\.onnx file, or the option file, got a\.onnx, b"):
        loaders.load(spec(tmp_path))
    assert loaders.load(spec(tmp_path, file="b.onnx")).schema.platform == "onnxruntime_onnx"
    with pytest.raises(LoadFailed, match=r"a file c\.onnx, got a\.onnx, b\.onnx"):
        loaders.load(spec(tmp_path, file="c.onnx"))
    with pytest.raises(UnsafePath):
        loaders.load(spec(tmp_path, file="../a.onnx"))


def test_a_folder_without_onnx_files_is_a_failed_load(tmp_path: Path) -> None:
    with pytest.raises(LoadFailed, match="got none"):
        loaders.load(spec(tmp_path))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"thread": 2}, "options of the loader onnx: file, providers, threads, got thread"),
        ({"threads": 0}, "option threads: expected a whole number of 1 or more, got 0"),
        ({"threads": True}, "option threads"),
        ({"providers": "CPUExecutionProvider"}, "option providers: expected a list of texts"),
        ({"device_id": 1}, "got device_id"),
        ({"file": ""}, "option file: expected a text"),
    ],
)
def test_a_wrong_option_is_a_failed_load(
    tmp_path: Path, options: dict[str, Any], text: str
) -> None:
    onnx_models.double(tmp_path / "m.onnx")
    with pytest.raises(LoadFailed, match=text):
        loaders.load(spec(tmp_path, **options))


def test_threads_and_providers_can_be_chosen(tmp_path: Path) -> None:
    onnx_models.double(tmp_path / "m.onnx")
    model = loaders.load(spec(tmp_path, threads=2, providers=["CPUExecutionProvider"]))
    assert model.predict({"x": [[1, 1, 1]]})["y"].tolist() == [[2, 2, 2]]


def test_a_device_that_is_not_there_fails_and_never_falls_back(tmp_path: Path) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    onnx_models.double(tmp_path / "m.onnx")
    with pytest.raises(LoadFailed, match=r"CUDAExecutionProvider, got available: .*CPUExecution"):
        loaders.load(spec(tmp_path, "cuda:1"))
    with pytest.raises(LoadFailed, match="NoSuchProvider, got available"):
        loaders.load(spec(tmp_path, providers=["NoSuchProvider"]))


def test_a_device_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    onnx_models.double(tmp_path / "m.onnx")
    with pytest.raises(LoadFailed, match="cpu, cuda or cuda:<number>, got 'tpu'"):
        loaders.load(spec(tmp_path, "tpu"))


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"y": [[1, 2, 3]]}, "inputs: expected x, got y"),
        ({"x": [[1, 2]]}, r"input x: expected shape \[-1, 3\], got shape \[1, 2\]"),
        ({"x": [1, 2, 3]}, r"got shape \[3\]"),
        ({"x": [["a", "b", "c"]]}, "input x: expected FP32, got texts"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_before_the_session_sees_them(
    tmp_path: Path, values: dict[str, Any], text: str
) -> None:
    onnx_models.double(tmp_path / "m.onnx")
    with pytest.raises(BadInput, match=text):
        loaders.load(spec(tmp_path)).predict(values)


def test_an_input_of_unknown_rank_is_left_to_the_session(tmp_path: Path) -> None:
    onnx_models.any_rank(tmp_path / "m.onnx")
    model = loaders.load(spec(tmp_path))
    assert model.predict({"x": 2.0})["y"].tolist() == -2.0
    assert model.predict({"x": [[1.0, 2.0]]})["y"].tolist() == [[-1.0, -2.0]]


def test_a_text_that_is_no_utf8_is_a_bad_input(tmp_path: Path) -> None:
    onnx_models.passing(tmp_path / "m.onnx", {"a": onnx.TensorProto.STRING})
    with pytest.raises(BadInput, match="UTF-8"):
        loaders.load(spec(tmp_path)).predict({"in_a": np.array([b"\xff"], dtype=object)})


def test_outputs_that_are_no_tensors_are_left_out(tmp_path: Path) -> None:
    onnx_models.sequence_out(tmp_path / "m.onnx", also_tensor=True)
    model = loaders.load(spec(tmp_path))
    assert [one.name for one in model.schema.outputs] == ["one"]
    assert model.predict({"x": [1.0]})["one"].tolist() == [1.0]


def test_a_model_with_no_tensor_to_give_is_a_failed_load(tmp_path: Path) -> None:
    onnx_models.sequence_out(tmp_path / "m.onnx", also_tensor=False)
    with pytest.raises(LoadFailed, match="an output that is a tensor, got many: seq"):
        loaders.load(spec(tmp_path))


def test_a_model_with_inputs_that_are_no_tensors_is_a_failed_load(tmp_path: Path) -> None:
    onnx_models.sequence_in(tmp_path / "m.onnx")
    with pytest.raises(LoadFailed, match=r"inputs that are tensors .*, got many: seq"):
        loaders.load(spec(tmp_path))


def test_external_data_is_read_from_the_folder_and_weighed(tmp_path: Path) -> None:
    path = onnx_models.with_external_data(tmp_path / "m.onnx")
    (tmp_path / "README.md").write_text("not weighed")
    data = tmp_path / "m.onnx.data"
    assert OnnxLoader().weigh(spec(tmp_path)) == path.stat().st_size + data.stat().st_size
    answer = loaders.load(spec(tmp_path)).predict({"x": np.zeros(1000, np.float32)})["y"]
    assert answer.tolist() == list(range(1000))


def test_an_index_that_only_the_session_can_check_is_a_bad_input(tmp_path: Path) -> None:
    onnx_models.embedding(tmp_path / "m.onnx")
    model = loaders.load(spec(tmp_path))
    assert model.predict({"ids": [1, 0]})["y"].tolist() == [[2.0, 3.0], [0.0, 1.0]]
    with pytest.raises(BadInput, match=r"model m: expected inputs that it takes, got .*bounds"):
        model.predict({"ids": [7]})


def test_lengths_that_do_not_fit_each_other_are_a_failed_answer(tmp_path: Path) -> None:
    onnx_models.sum_of_two(tmp_path / "m.onnx")
    model = loaders.load(spec(tmp_path))
    with pytest.raises(PredictFailed, match="2 by 3"):
        model.predict({"a": [1.0, 2.0], "b": [1.0, 2.0, 3.0]})
    assert model.predict({"a": [1.0], "b": [2.0]})["c"].tolist() == [3.0]
