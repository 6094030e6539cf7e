# SPDX-License-Identifier: Apache-2.0
"""One way to open an ONNX file, shared by the models of the quickstart."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnxruntime


def open_session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """Open an ONNX file on the CPU.

    Args:
        path: The ONNX file.
        threads: Threads inside one operator; 0 leaves the choice to the runtime.

    Raises:
        FileNotFoundError: The folder does not hold this file.
    """
    import onnxruntime

    if not path.is_file():
        raise FileNotFoundError(f"{path.parent}: expected a file {path.name}, found none")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Several models share one machine: a thread that spins while it waits would take
    # the core from its neighbours.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
