# SPDX-License-Identifier: Apache-2.0
"""Boxes and pictures of lines: corners in order, reading order, cutting out, scaling.

A box is a float array [4, 2] of corners (x, y) in pixels: top left, top right, bottom
right, bottom left.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Box = NDArray[np.float32]
Picture = NDArray[np.uint8]


def corners_in_order(points: NDArray[np.float32]) -> Box:
    """The four corners of a rectangle, clockwise from the top left as it is read.

    The two leftmost corners are the left side, as long as the text does not lean by more
    than half a right angle.
    """
    by_x = points[np.argsort(points[:, 0], kind="stable")]
    left = by_x[:2][np.argsort(by_x[:2, 1], kind="stable")]
    right = by_x[2:][np.argsort(by_x[2:, 1], kind="stable")]
    return np.stack([left[0], right[0], right[1], left[1]]).astype(np.float32)


def reading_order(boxes: Sequence[Box]) -> list[Box]:
    """Boxes row by row from the top, each row from the left.

    A box belongs to the row above if its middle lies within half a line of the row's first box.
    """
    rows: list[list[Box]] = []
    for box in sorted(boxes, key=lambda box: float(box[:, 1].mean())):
        if rows:
            first = rows[-1][0]
            height = float(np.linalg.norm(first[3] - first[0]))
            if abs(float(box[:, 1].mean() - first[:, 1].mean())) < height / 2:
                rows[-1].append(box)
                continue
        rows.append([box])
    return [box for row in rows for box in sorted(row, key=lambda box: float(box[:, 0].min()))]


def cut_out(picture: Picture, box: Box) -> Picture:
    """The inside of a box as an upright picture; a line that runs downwards is laid flat."""
    top, right = np.linalg.norm(box[1] - box[0]), np.linalg.norm(box[2] - box[1])
    bottom, left = np.linalg.norm(box[2] - box[3]), np.linalg.norm(box[3] - box[0])
    width, height = max(1, int(max(top, bottom))), max(1, int(max(left, right)))
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    flat = cv2.warpPerspective(
        picture,
        cv2.getPerspectiveTransform(box.astype(np.float32), target),
        (width, height),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(np.rot90(flat) if height >= 1.5 * width else flat, np.uint8)


def as_tensor(picture: Picture) -> NDArray[np.float32]:
    """Pixels from 0 to 255 as values from -1 to 1, shape [1, 3, height, width]."""
    return (picture.astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)[None]


def fit_line(picture: Picture, height: int, width: int) -> NDArray[np.float32]:
    """A line scaled to a height, cut short or filled up with grey at the right to a width.

    Returns:
        Shape [1, 3, height, width], values from -1 to 1, the fill 0.
    """
    scaled = min(width, math.ceil(height * picture.shape[1] / picture.shape[0]))
    resized = np.asarray(cv2.resize(picture, (max(1, scaled), height)), np.uint8)
    line = np.zeros((1, 3, height, width), np.float32)
    line[..., : resized.shape[1]] = as_tensor(resized)
    return line
