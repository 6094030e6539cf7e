# SPDX-License-Identifier: Apache-2.0
"""Recognition: what one line says.

The network gives, for each column of a line, one probability per character; `decode`
makes text of them (CTC: Graves et al. 2006) and knows no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from quickstart_models.reader.geometry import Picture, fit_line

if TYPE_CHECKING:
    import onnxruntime

_HEIGHT_PX = 48
# The shortest input that the network was trained on: shorter lines are filled up.
_MIN_WIDTH_PX = 320
_BLANK = 0


def alphabet(characters: str) -> list[str]:
    """The network's classes, from the list in its file: one character per line.

    The blank stands before the list and the space behind it.
    """
    return ["", *characters.splitlines(), " "]


def decode(probabilities: NDArray[np.float32], characters: Sequence[str]) -> tuple[str, float]:
    """Text of a line, and the mean confidence of its characters.

    Args:
        probabilities: Shape [columns, classes].
        characters: One string per class; class 0 is the blank.

    Returns:
        The text and a score between 0 and 1; `("", 0.0)` where nothing but blanks stands.

    Raises:
        ValueError: There is not one string per class.
    """
    if probabilities.shape[1] != len(characters):
        raise ValueError(
            f"recognition: expected {probabilities.shape[1]} characters, one per class, "
            f"got {len(characters)}"
        )
    best = probabilities.argmax(axis=1)
    # A character that spans several columns counts once; a blank between two equal ones
    # makes them two.
    begins = np.concatenate([[True], best[1:] != best[:-1]])[: len(best)] & (best != _BLANK)
    if not begins.any():
        return "", 0.0
    text = "".join(characters[index] for index in best[begins])
    return text, float(probabilities.max(axis=1)[begins].mean())


class Recognizer:
    """The recognition network."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        """Take an open session on PP-OCR's recognition file.

        Raises:
            ValueError: The file does not carry its list of characters.
        """
        listed = session.get_modelmeta().custom_metadata_map
        if "character" not in listed:
            raise ValueError(
                f"recognition: expected a list `character` in the file's metadata, "
                f"got {sorted(listed)}"
            )
        self._characters = alphabet(listed["character"])
        self._session = session

    def read(self, line: Picture) -> tuple[str, float]:
        """Text and score of one line.

        Lines are read one at a time: in a batch, each would be filled up to the longest,
        and its text would depend on its neighbours.
        """
        height, width = line.shape[:2]
        seen_width = max(_MIN_WIDTH_PX, int(_HEIGHT_PX * width / height))
        feed = {self._session.get_inputs()[0].name: fit_line(line, _HEIGHT_PX, seen_width)}
        return decode(self._session.run(None, feed)[0][0], self._characters)
