# SPDX-License-Identifier: Apache-2.0
"""Detection: where in a picture lines of text stand.

The network gives each pixel a probability of lying inside the shrunken core of a line
("Real-time Scene Text Detection with Differentiable Binarization", Liao et al. 2020).
`boxes_from_map` finds the cores and grows them back, and knows no network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from quickstart_models.reader.geometry import Box, Picture, as_tensor, corners_in_order

if TYPE_CHECKING:
    import onnxruntime


@dataclass(frozen=True)
class Rules:
    """What counts as a line.

    Attributes:
        threshold: Probability from which a pixel belongs to a core.
        min_mean: Mean probability that the inside of a core must reach.
        growth: How far a core is grown: area times this, divided by the perimeter.
        min_side_px: Cores thinner than this, in pixels of the map, are dust.
        short_side_px: The picture is enlarged until its short side has this length …
        long_side_px: … but never beyond this for the long side, and shrunk to it if larger.
    """

    threshold: float = 0.3
    min_mean: float = 0.5
    growth: float = 1.6
    min_side_px: float = 3.0
    short_side_px: int = 736
    long_side_px: int = 2000


def input_size(width: int, height: int, rules: Rules) -> tuple[int, int]:
    """Width and height at which the network sees a picture: multiples of 32, same form."""
    scale = max(1.0, rules.short_side_px / min(width, height))
    scale = min(scale, rules.long_side_px / max(width, height))
    sides = (max(32, round(side * scale / 32) * 32) for side in (width, height))
    return next(sides), next(sides)


def _mean_inside(probabilities: NDArray[np.float32], corners: NDArray[np.float32]) -> float:
    """Mean probability inside a rectangle of any angle."""
    height, width = probabilities.shape
    left, top = np.floor(corners.min(axis=0)).clip(0, (width - 1, height - 1)).astype(int)
    right, bottom = np.ceil(corners.max(axis=0)).clip(0, (width - 1, height - 1)).astype(int)
    mask = np.zeros((bottom - top + 1, right - left + 1), np.uint8)
    cv2.fillPoly(mask, [(corners - (left, top)).astype(np.int32)], (1,))
    return float(cv2.mean(probabilities[top : bottom + 1, left : right + 1], mask)[0])


def boxes_from_map(probabilities: NDArray[np.float32], rules: Rules) -> list[Box]:
    """Boxes of the lines in a map of probabilities.

    Args:
        probabilities: Shape [height, width], each between 0 and 1.
        rules: What counts as a line.

    Returns:
        One box per line in pixels of the map, in no particular order; a box may reach
        past the map's edge.
    """
    core = (probabilities > rules.threshold).astype(np.uint8)
    # One pixel of growth to the right and down closes the gaps between letters.
    core = np.asarray(cv2.dilate(core, np.ones((2, 2), np.uint8)), np.uint8)
    contours, _ = cv2.findContours(core, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    boxes = []
    for contour in contours:
        centre, (width, height), angle = cv2.minAreaRect(contour)
        if min(width, height) < rules.min_side_px:
            continue
        corners = np.asarray(cv2.boxPoints((centre, (width, height), angle)), np.float32)
        if _mean_inside(probabilities, corners) < rules.min_mean:
            continue
        # A rectangle grown outwards by one distance is a rectangle again, so no polygon
        # library is needed for what the paper calls unclipping.
        margin = width * height * rules.growth / (2 * (width + height))
        grown = (width + 2 * margin, height + 2 * margin)
        points = np.asarray(cv2.boxPoints((centre, grown, angle)), np.float32)
        boxes.append(corners_in_order(points))
    return boxes


class Detector:
    """The detection network."""

    def __init__(self, session: onnxruntime.InferenceSession, rules: Rules | None = None) -> None:
        """Take an open session on PP-OCR's detection file."""
        self._session = session
        self._rules = rules or Rules()

    def find(self, picture: Picture) -> list[Box]:
        """Boxes of the lines in a picture, in its own pixels and inside its edges."""
        height, width = picture.shape[:2]
        seen_width, seen_height = input_size(width, height, self._rules)
        resized = np.asarray(cv2.resize(picture, (seen_width, seen_height)), np.uint8)
        feed = {self._session.get_inputs()[0].name: as_tensor(resized)}
        probabilities = self._session.run(None, feed)[0][0, 0]
        scale = np.array([width / seen_width, height / seen_height], np.float32)
        edge = np.array([width - 1, height - 1], np.float32)
        found = [
            np.clip(np.rint(box * scale), 0, edge).astype(np.float32)
            for box in boxes_from_map(probabilities, self._rules)
        ]
        return [box for box in found if _shorter_side(box) > 3]


def _shorter_side(box: Box) -> float:
    return float(min(np.linalg.norm(box[1] - box[0]), np.linalg.norm(box[3] - box[0])))
