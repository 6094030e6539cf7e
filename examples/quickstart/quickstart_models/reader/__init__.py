# SPDX-License-Identifier: Apache-2.0
"""Reading: the lines of text in a picture, by PP-OCR's three networks.

`detection` finds the lines, `direction` turns those that stand on their head, and
`recognition` reads them. Only this file knows that there are three.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from quickstart_models.reader.detection import Detector
from quickstart_models.reader.direction import Director
from quickstart_models.reader.geometry import cut_out, reading_order
from quickstart_models.reader.recognition import Recognizer
from quickstart_models.sessions import open_session

__all__ = ["TextReader", "read_png"]

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def read_png(data: bytes, max_pixels: int) -> NDArray[np.uint8]:
    """Decode a PNG; what is transparent becomes white paper.

    Args:
        data: The file.
        max_pixels: A larger picture is refused before it is unpacked, since a small
            file may promise a huge one.

    Returns:
        Shape [height, width, 3], in the order blue, green, red.

    Raises:
        ValueError: The bytes are no PNG, are damaged, or hold too large a picture.
    """
    if not data.startswith(_PNG_SIGNATURE) or len(data) < 24:
        raise ValueError(
            f"png: expected a PNG file, got {len(data)} bytes that start with {data[:8]!r}"
        )
    # PNG specification, 11.2.1: width and height are the first two fields of IHDR.
    width, height = struct.unpack(">II", data[16:24])
    if width * height > max_pixels:
        raise ValueError(
            f"png: expected at most {max_pixels} pixels, got {width} x {height} = {width * height}"
        )
    buffer = np.frombuffer(data, np.uint8)
    picture = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
    if picture is not None and picture.ndim == 3 and picture.shape[2] == 4:
        full = 65535 if picture.dtype == np.uint16 else 255
        alpha = picture[..., 3:].astype(np.float32) / full
        blended = picture[..., :3] / full * alpha + (1 - alpha)
        return np.rint(blended * 255).astype(np.uint8)
    picture = cv2.imdecode(buffer, cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError(f"png: expected a whole PNG file, got {len(data)} damaged bytes")
    return np.asarray(picture, np.uint8)


class TextReader:
    """PP-OCR behind modelkeep's contract for Python loaders."""

    inputs: ClassVar = [("png", "BYTES", [1])]
    outputs: ClassVar = [
        ("text", "BYTES", [-1]),
        ("scores", "FP32", [-1]),
        ("boxes", "FP32", [-1, 4, 2]),
    ]

    def __init__(
        self, *, threads: int = 0, min_score: float = 0.5, max_pixels: int = 40_000_000
    ) -> None:
        """Keep the options.

        Args:
            threads: Threads inside one operator; 0 leaves the choice to the runtime.
            min_score: A line that is read with less confidence is left out.
            max_pixels: The largest picture that is accepted.
        """
        self._threads = threads
        self._min_score = min_score
        self._max_pixels = max_pixels
        self._steps: tuple[Detector, Director, Recognizer] | None = None

    def load(self, folder: Path) -> None:
        """Open the three networks."""
        self._steps = (
            Detector(open_session(folder / "ch_PP-OCRv4_det_infer.onnx", self._threads)),
            Director(open_session(folder / "ch_ppocr_mobile_v2.0_cls_infer.onnx", self._threads)),
            Recognizer(open_session(folder / "ch_PP-OCRv4_rec_infer.onnx", self._threads)),
        )

    def predict(self, inputs: dict[str, NDArray[Any]]) -> dict[str, Any]:
        """Read one picture, line by line, from the top left to the bottom right."""
        if self._steps is None:
            raise RuntimeError("reader: expected a loaded model, got predict before load")
        detector, director, recognizer = self._steps
        picture = read_png(bytes(inputs["png"].reshape(-1)[0]), self._max_pixels)
        texts: list[str] = []
        scores: list[float] = []
        kept: list[NDArray[np.float32]] = []
        for box in reading_order(detector.find(picture)):
            text, score = recognizer.read(director.upright(cut_out(picture, box)))
            if text and score >= self._min_score:
                texts.append(text)
                scores.append(score)
                kept.append(box)
        return {
            "text": texts,
            "scores": np.array(scores, np.float32),
            "boxes": np.array(kept, np.float32).reshape(-1, 4, 2),
        }

    def close(self) -> None:
        """Let the networks go."""
        self._steps = None
