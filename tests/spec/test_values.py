# SPDX-License-Identifier: Apache-2.0
import pytest

from modelkeep.spec.emit import ignore
from modelkeep.spec.errors import (
    InvalidDocument,
    InvalidValue,
    KeepError,
    MissingExtra,
    MissingFile,
)
from modelkeep.spec.events import BlobStored
from modelkeep.spec.tensor import DATATYPES, NUMPY_NAMES, TensorSpec


def test_an_error_reads_as_subject_expected_and_got() -> None:
    error = KeepError("file a", "5 bytes", "4")
    assert str(error) == "file a: expected 5 bytes, got 4"
    assert (error.subject, error.expected, error.got) == ("file a", "5 bytes", "4")


def test_an_error_in_a_document_names_the_place() -> None:
    error = InvalidDocument("models.toml", 3, "models.pat", "a table", "a text")
    assert str(error) == "models.toml:3: models.pat: expected a table, got a text"
    error = InvalidDocument("models.toml", None, "", "TOML", "none")
    assert str(error) == "models.toml: expected TOML, got none"


def test_a_missing_file_names_model_file_and_store() -> None:
    error = MissingFile("pat", "a.json", "/store")
    assert (
        str(error) == "model pat: file a.json: expected it in the store /store, got nothing there"
    )
    assert str(MissingFile("pat", "", "/store")).startswith("model pat: expected")


def test_a_missing_extra_names_the_package_and_the_extra() -> None:
    error = MissingExtra("loader onnx", "onnxruntime", "onnx")
    assert (error.package, error.extra) == ("onnxruntime", "onnx")
    assert "onnxruntime" in str(error)


def test_who_does_not_listen_hears_everything_in_silence() -> None:
    ignore(BlobStored("m", "a", "sha256:0", 1))


def test_a_tensor_is_read_from_the_row_that_people_write() -> None:
    assert TensorSpec.of(("x", "FP32", [-1, 3])) == TensorSpec("x", "FP32", (-1, 3))
    assert TensorSpec.of(["y", "BYTES", ()]).shape == ()


@pytest.mark.parametrize(
    "row",
    [(), ("x",), ("x", "FP32"), ("x", "FP32", 3), ("x", "FP32", ["a"]), ("x", "float32", [1])],
)
def test_a_row_that_is_no_tensor_is_refused(row: tuple[object, ...]) -> None:
    with pytest.raises(InvalidValue, match="tensor"):
        TensorSpec.of(row)


def test_every_datatype_has_one_name_in_numpy() -> None:
    assert {DATATYPES[numpy]: numpy for numpy in DATATYPES} == NUMPY_NAMES
