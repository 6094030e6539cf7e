# SPDX-License-Identifier: Apache-2.0
"""ONNX files by onnxruntime, on exactly the device that was asked for.

Options: ``file`` (which ``*.onnx``, where there are several), ``providers``
(onnxruntime's names, in order), ``threads`` (inside one operator; half of the
cores that this process may use where absent, since models share a machine).
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelkeep.loaders import options
from modelkeep.loaders.base import LoadSpec, Values
from modelkeep.spec.errors import BadInput, LoadFailed, MissingExtra
from modelkeep.spec.path import check_path
from modelkeep.spec.tensor import Schema, TensorSpec

if TYPE_CHECKING:
    import onnxruntime

_log = logging.getLogger(__name__)
_DEVICE = re.compile(r"cpu|cuda(?::(\d+))?")
_DATATYPES = {
    "tensor(bool)": "BOOL",
    "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(string)": "BYTES",
}


class OnnxLoader:
    """Loads one ONNX file of a folder."""

    def weigh(self, spec: LoadSpec) -> int:
        """Bytes of the file, and of the external data beside it."""
        return _weight(_file_of(spec))

    def load(self, spec: LoadSpec) -> OnnxModel:
        """Open a session.

        Raises:
            MissingExtra: onnxruntime is not installed.
            LoadFailed: no such file, an option or device that it does not have,
                or inputs that are no tensors.
        """
        options.check_known(spec, ("file", "providers", "threads"))
        path = _file_of(spec)
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtra(f"loader {spec.loader}", "onnxruntime", "onnx") from error
        providers = _providers(spec, onnxruntime.get_available_providers())
        how = onnxruntime.SessionOptions()
        how.intra_op_num_threads = options.count(spec, "threads") or _default_threads()
        # A thread that spins while it waits takes the core from the other models.
        how.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = onnxruntime.InferenceSession(str(path), how, providers=providers)
        session.disable_fallback()
        # A provider may be known and yet not start; onnxruntime then goes on without it.
        wanted = [name for name, _ in providers]
        if session.get_providers()[: len(wanted)] != wanted:
            got = "it did not start; running: " + ", ".join(session.get_providers())
            raise LoadFailed(f"model {spec.name}", f"the provider {', '.join(wanted)}", got)
        return OnnxModel(spec.name, session)


class OnnxModel:
    """An open session."""

    def __init__(self, name: str, session: onnxruntime.InferenceSession) -> None:
        inputs, outputs = session.get_inputs(), session.get_outputs()
        strange = [one for one in inputs if one.type not in _DATATYPES]
        if strange:
            got = ", ".join(f"{one.name}: {one.type}" for one in strange)
            raise LoadFailed(f"model {name}", "inputs that are tensors of numbers or texts", got)
        plain = [one for one in outputs if one.type in _DATATYPES]
        if not plain:
            got = ", ".join(f"{one.name}: {one.type}" for one in outputs)
            raise LoadFailed(f"model {name}", "an output that is a tensor", got)
        if len(plain) < len(outputs):
            left = ", ".join(f"{one.name} ({one.type})" for one in outputs if one not in plain)
            _log.warning("model %s: these outputs are no tensors and are left out: %s", name, left)
        self._session: onnxruntime.InferenceSession | None = session
        self._name = name
        # The session reports an unknown rank as no axes at all; it checks these itself.
        self._unranked = frozenset(one.name for one in inputs if not one.shape)
        self.schema = Schema(_tensors(inputs), _tensors(plain), "onnxruntime_onnx")

    def predict(self, inputs: Values) -> Values:
        """Run the session.

        Raises:
            BadInput: a name, datatype or shape that the model does not take.
        """
        from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

        from modelkeep.loaders import values

        assert self._session is not None, "a closed model is not asked"
        feed = values.inputs_of(inputs, self.schema.inputs, unranked=self._unranked)
        for one in self.schema.inputs:
            if one.datatype == "BYTES":
                feed[one.name] = values.texts_of(feed[one.name], one.name)
        names = [one.name for one in self.schema.outputs]
        try:
            found = self._session.run(names, feed)
        except InvalidArgument as error:
            raise BadInput(f"model {self._name}", "inputs that it takes", str(error)) from error
        pairs = zip(self.schema.outputs, found, strict=True)
        return {one.name: values.typed(array, one) for one, array in pairs}

    def close(self) -> None:
        """Let the session go."""
        self._session = None


def _tensors(arguments: Sequence[Any]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            one.name,
            _DATATYPES[one.type],
            # An axis without a fixed length has a name here, or None.
            tuple(size if isinstance(size, int) and size >= 0 else -1 for size in one.shape),
        )
        for one in arguments
    )


def _file_of(spec: LoadSpec) -> Path:
    asked = options.text(spec, "file")
    if asked is not None:
        path = spec.folder / check_path(asked)
        if not path.is_file():
            there = ", ".join(_onnx_files(spec.folder)) or "no ONNX file there"
            raise LoadFailed(f"model {spec.name}: option file", f"a file {asked}", there)
        return path
    found = _onnx_files(spec.folder)
    if len(found) != 1:
        expected = "one *.onnx file, or the option file"
        raise LoadFailed(f"model {spec.name}", expected, ", ".join(found) or "none")
    return spec.folder / found[0]


def _onnx_files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.onnx"))


def _weight(path: Path) -> int:
    beside = (
        one
        for one in path.parent.iterdir()
        if one.name.endswith((".data", "_data")) and one.is_file()
    )
    return path.stat().st_size + sum(one.stat().st_size for one in beside)


def _default_threads() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, cores // 2)


def _providers(spec: LoadSpec, available: Sequence[str]) -> list[tuple[str, dict[str, str]]]:
    match = _DEVICE.fullmatch(spec.device or "cpu")
    if match is None:
        got = repr(spec.device)
        raise LoadFailed(f"model {spec.name}", "a device: cpu, cuda or cuda:<number>", got)
    on_cuda = match[0] != "cpu"
    default = ("CUDAExecutionProvider",) if on_cuda else ("CPUExecutionProvider",)
    wanted = options.texts(spec, "providers") or default
    missing = [name for name in wanted if name not in available]
    if missing:
        expected = f"the onnxruntime provider {', '.join(missing)}"
        raise LoadFailed(f"model {spec.name}", expected, f"available: {', '.join(available)}")
    card = {"device_id": match[1] or "0"}
    return [(name, card if on_cuda and name.startswith("CUDA") else {}) for name in wanted]
