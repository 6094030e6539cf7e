# SPDX-License-Identifier: Apache-2.0
"""Voice activity: where in a recording somebody speaks.

Silero's network gives one probability of speech for each window of 32 milliseconds.
`segments` turns that row of numbers into stretches of speech, and knows no network.
"""

from __future__ import annotations

import io
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from quickstart_models.sessions import open_session

if TYPE_CHECKING:
    import onnxruntime
    from numpy.typing import NDArray

# Samples per window and of the window before it, as the network was trained (silero-vad 6).
_WINDOW = {16_000: 512, 8_000: 256}
_CONTEXT = {16_000: 64, 8_000: 32}


@dataclass(frozen=True)
class Rules:
    """When speech begins and ends.

    Attributes:
        threshold: Probability at which speech begins.
        release: Probability under which it may end; lower than `threshold`, so that a
            value that hovers around one limit does not cut a word to pieces.
        min_speech_s: Shorter speech is taken for a noise and dropped.
        min_silence_s: A shorter pause does not end the speech.
        padding_s: Added on both sides, for soft first and last sounds.
    """

    threshold: float = 0.5
    release: float = 0.35
    min_speech_s: float = 0.25
    min_silence_s: float = 0.1
    padding_s: float = 0.03

    def __post_init__(self) -> None:
        if not 0 < self.release <= self.threshold < 1:
            raise ValueError(
                f"rules: expected 0 < release <= threshold < 1, "
                f"got release {self.release} and threshold {self.threshold}"
            )
        if min(self.min_speech_s, self.min_silence_s, self.padding_s) < 0:
            raise ValueError(f"rules: expected times of at least 0 seconds, got {self}")


def _stretches(
    probabilities: NDArray[np.float32], window_s: float, rules: Rules
) -> list[tuple[float, float]]:
    """Speech between the two limits, in seconds, before anything is dropped or padded."""
    found: list[tuple[float, float]] = []
    start: int | None = None
    quiet: int | None = None  # the window since which it may be over
    for index, probability in enumerate(probabilities):
        if probability >= rules.threshold:
            start = index if start is None else start
            quiet = None
        elif probability < rules.release and start is not None:
            quiet = index if quiet is None else quiet
            if (index - quiet) * window_s >= rules.min_silence_s:
                found.append((start * window_s, quiet * window_s))
                start = quiet = None
    if start is not None:
        found.append((start * window_s, len(probabilities) * window_s))
    return found


def segments(
    probabilities: NDArray[np.float32], window_s: float, *, duration_s: float, rules: Rules
) -> NDArray[np.float32]:
    """Stretches of speech from one probability per window.

    Args:
        probabilities: Shape [windows], each between 0 and 1.
        window_s: Length of a window in seconds.
        duration_s: Length of the recording; no segment ends after it.
        rules: When speech begins and ends.

    Returns:
        Shape [segments, 2]: start and end in seconds, in order, not overlapping.
    """
    kept = [
        (start_s, min(end_s, duration_s))
        for start_s, end_s in _stretches(probabilities, window_s, rules)
        if min(end_s, duration_s) - start_s > rules.min_speech_s
    ]
    padded: list[tuple[float, float]] = []
    for index, (start_s, end_s) in enumerate(kept):
        # Neighbours share a gap that is too short for the padding of both.
        before_s = start_s - kept[index - 1][1] if index else 2 * start_s
        after_s = kept[index + 1][0] - end_s if index + 1 < len(kept) else 2 * duration_s
        left_s = start_s - min(rules.padding_s, before_s / 2)
        right_s = min(end_s + min(rules.padding_s, after_s / 2), duration_s)
        padded.append((left_s, right_s))
    return np.array(padded, np.float32).reshape(-1, 2)


def read_wav(data: bytes) -> tuple[NDArray[np.float32], int]:
    """Samples between -1 and 1, mixed down to one channel, and the sample rate in hertz.

    Raises:
        ValueError: The bytes are no WAV, not 16-bit PCM, or at a rate that is neither
            8000 nor 16000 hertz.
    """
    try:
        with wave.open(io.BytesIO(data)) as recording:
            channels, width, rate = recording.getparams()[:3]
            # Recorders that write to a pipe leave a placeholder as the length: what is
            # there counts, not what the header says.
            raw = recording.readframes(recording.getnframes())
    except (wave.Error, EOFError) as error:
        raise ValueError(
            f"wav: expected a WAV file with PCM samples, "
            f"got {len(data)} bytes that start with {data[:12]!r} ({error})"
        ) from error
    if width != 2:
        raise ValueError(f"wav: expected 16 bits per sample, got {8 * width}")
    if rate not in _WINDOW:
        raise ValueError(f"wav: expected a rate of 8000 or 16000 hertz, got {rate}")
    whole = len(raw) - len(raw) % (width * channels)
    frames = np.frombuffer(raw[:whole], "<i2").reshape(-1, channels)
    return (frames.mean(axis=1) / 32768).astype(np.float32), rate


class VoiceActivity:
    """Silero VAD behind modelkeep's contract for Python loaders."""

    inputs: ClassVar = [("wav", "BYTES", [1])]
    outputs: ClassVar = [("segments", "FP32", [-1, 2]), ("duration_s", "FP32", [1])]

    def __init__(self, *, threads: int = 1, **rules: float) -> None:
        """Take the fields of `Rules` as options; `threads` goes to the ONNX runtime."""
        if "threshold" in rules:
            rules.setdefault("release", max(rules["threshold"] - 0.15, 0.01))
        self._rules = Rules(**rules)
        self._threads = threads
        self._session: onnxruntime.InferenceSession | None = None

    def load(self, folder: Path) -> None:
        """Open the network."""
        self._session = open_session(folder / "silero_vad.onnx", self._threads)

    def predict(self, inputs: dict[str, NDArray[Any]]) -> dict[str, Any]:
        """Find the speech in one recording."""
        samples, rate = read_wav(bytes(inputs["wav"].reshape(-1)[0]))
        duration_s = len(samples) / rate
        found = segments(
            self._probabilities(samples, rate),
            _WINDOW[rate] / rate,
            duration_s=duration_s,
            rules=self._rules,
        )
        return {"segments": found, "duration_s": np.array([duration_s], np.float32)}

    def _probabilities(self, samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
        """Probability of speech for each window; the last one is filled up with silence."""
        if self._session is None:
            raise RuntimeError("voice: expected a loaded model, got predict before load")
        window, context = _WINDOW[rate], _CONTEXT[rate]
        count = -(-len(samples) // window)
        # Each window is read with the last samples of the one before it.
        padded = np.zeros(context + count * window, np.float32)
        padded[context : context + len(samples)] = samples
        state = np.zeros((2, 1, 128), np.float32)
        found = np.zeros(count, np.float32)
        for index in range(count):
            piece = padded[None, index * window : (index + 1) * window + context]
            feed = {"input": piece, "state": state, "sr": np.array(rate, np.int64)}
            probability, state = self._session.run(["output", "stateN"], feed)
            found[index] = probability[0, 0]
        return found

    def close(self) -> None:
        """Let the network go."""
        self._session = None
