# SPDX-License-Identifier: Apache-2.0
"""Direction: whether a line stands on its head."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quickstart_models.reader.geometry import Picture, fit_line

if TYPE_CHECKING:
    import onnxruntime

_HEIGHT_PX, _WIDTH_PX = 48, 192
_UPSIDE_DOWN = 1  # the network's two classes: 0 degrees, 180 degrees


class Director:
    """The direction network."""

    def __init__(self, session: onnxruntime.InferenceSession, min_score: float = 0.9) -> None:
        """Take an open session on PP-OCR's direction file.

        Args:
            session: The network.
            min_score: Confidence from which a line is turned. It is high, since most
                lines are upright and a wrong turn makes one unreadable.
        """
        self._session = session
        self._min_score = min_score

    def upright(self, line: Picture) -> Picture:
        """The line as it is, or turned by 180 degrees."""
        feed = {self._session.get_inputs()[0].name: fit_line(line, _HEIGHT_PX, _WIDTH_PX)}
        scores = self._session.run(None, feed)[0][0]
        return np.rot90(line, 2).copy() if scores[_UPSIDE_DOWN] > self._min_score else line
