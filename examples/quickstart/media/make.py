# SPDX-License-Identifier: Apache-2.0
"""Make speech.wav and sign.png again: `python media/make.py`, with espeak-ng and Pillow."""

from __future__ import annotations

import io
import subprocess
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

HERE = Path(__file__).resolve().parent
RATE = 16_000
SENTENCES = ("The models are on the shelf.", "Take the one you need.")
PAUSES_S = (0.6, 0.7, 0.6)  # before, between, after
LINES = (("LIBRARY", 44), ("Please return every model", 30), ("Loans: 30 days", 30))


def spoken(sentence: str) -> NDArray[np.float64]:
    """One sentence at 16 kHz, samples between -1 and 1."""
    command = ["espeak-ng", "-v", "en-us", "-s", "160", "--stdout", sentence]
    made = subprocess.run(command, check=True, capture_output=True).stdout
    with wave.open(io.BytesIO(made)) as recording:
        rate = recording.getframerate()
        # espeak-ng does not know the length when it writes the header to a pipe.
        samples = np.frombuffer(recording.readframes(recording.getnframes()), "<i2") / 32768
    # A change of rate without aliasing: the spectrum, cut off at the new limit.
    count = len(samples) * RATE // rate
    spectrum = np.fft.rfft(samples)[: count // 2 + 1]
    return np.asarray(np.fft.irfft(spectrum, count) * count / len(samples))


def write_speech(path: Path) -> None:
    """Pause, sentence, pause, sentence, pause."""
    first, second = (spoken(sentence) for sentence in SENTENCES)
    before, between, after = (np.zeros(int(pause * RATE)) for pause in PAUSES_S)
    samples = np.concatenate([before, first, between, second, after])
    with wave.open(str(path), "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(RATE)
        recording.writeframes((samples.clip(-1, 1) * 32767).astype("<i2").tobytes())


def write_sign(path: Path) -> None:
    """Three lines of black on light grey, in Pillow's own font."""
    picture = Image.new("RGB", (520, 230), (238, 238, 232))
    pen = ImageDraw.Draw(picture)
    top = 24
    for text, size in LINES:
        # Wide gaps between words: in tight ones, the recognition network sees no space.
        spaced = text.replace(" ", "  ")
        pen.text((36, top), spaced, (20, 20, 30), ImageFont.load_default(size))
        top += size + 32
    picture.save(path, optimize=True)


if __name__ == "__main__":
    write_speech(HERE / "speech.wav")
    write_sign(HERE / "sign.png")
