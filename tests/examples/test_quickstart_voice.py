# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from quickstart_models.voice import Rules, VoiceActivity, read_wav, segments

# Windows of a tenth of a second make the tables easy to read.
WINDOW_S = 0.1
PLAIN = Rules(min_speech_s=0.0, min_silence_s=0.2, padding_s=0.0)


def find(
    text: str, rules: Rules = PLAIN, duration_s: float | None = None
) -> list[tuple[float, ...]]:
    """Segments of a row of tenths: `9` is 0.9, `.` is 0."""
    row = np.array([0 if sign == "." else int(sign) / 10 for sign in text], np.float32)
    length_s = len(row) * WINDOW_S if duration_s is None else duration_s
    found = segments(row, WINDOW_S, duration_s=length_s, rules=rules)
    assert found.dtype == np.float32
    assert found.shape == (len(found), 2)
    return [tuple(span) for span in found.round(3).tolist()]


@pytest.mark.parametrize("row", ["", ".", "....", "4444", "3343"])
def test_silence_gives_no_segments(row: str) -> None:
    assert find(row) == []


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("..99...", [(0.2, 0.4)]),
        ("99....", [(0.0, 0.2)]),
        ("...99", [(0.3, 0.5)]),
        ("..99..", [(0.2, 0.6)]),  # too short a silence to know that it is over
        ("999", [(0.0, 0.3)]),
        ("5", [(0.0, 0.1)]),
        ("99....99...", [(0.0, 0.2), (0.6, 0.8)]),
    ],
)
def test_speech_begins_and_ends_with_its_windows(
    row: str, expected: list[tuple[float, float]]
) -> None:
    assert find(row) == [pytest.approx(span) for span in expected]


def test_a_value_between_the_limits_neither_begins_nor_ends_speech() -> None:
    assert find("..4444..") == []
    assert find("..94444...") == [pytest.approx((0.2, 0.7))]


def test_a_pause_goes_on_through_values_between_the_limits() -> None:
    assert find("99.4....") == [pytest.approx((0.0, 0.2))]


def test_a_short_pause_does_not_end_the_speech() -> None:
    assert find("99.99...") == [pytest.approx((0.0, 0.5))]
    assert find("99..99...") == [pytest.approx((0.0, 0.6))]
    assert len(find("99...99...")) == 2


def test_short_speech_is_dropped() -> None:
    rules = Rules(min_speech_s=0.25, min_silence_s=0.2, padding_s=0)
    assert find("99...", rules) == []
    assert find("999...", rules) == [pytest.approx((0.0, 0.3))]


def test_padding_stays_inside_the_recording() -> None:
    rules = Rules(min_speech_s=0, min_silence_s=0.2, padding_s=0.15)
    assert find(".999....", rules) == [pytest.approx((0.0, 0.55))]
    assert find("....9999", rules, duration_s=0.75) == [pytest.approx((0.25, 0.75))]


def test_neighbours_share_a_gap_that_is_too_short_for_both_paddings() -> None:
    rules = Rules(min_speech_s=0, min_silence_s=0.2, padding_s=0.5)
    assert find("99....99", rules) == [pytest.approx((0.0, 0.4)), pytest.approx((0.4, 0.8))]


@pytest.mark.parametrize("seed", range(20))
def test_segments_are_in_order_and_do_not_overlap(seed: int) -> None:
    chance = np.random.default_rng(seed)
    row = chance.random(chance.integers(1, 200)).astype(np.float32)
    rules = Rules(min_speech_s=0.1, min_silence_s=0.1, padding_s=0.2)
    flat = segments(row, WINDOW_S, duration_s=len(row) * WINDOW_S, rules=rules).ravel()
    assert (np.diff(flat) >= 0).all()
    assert len(flat) == 0 or (flat[0] >= 0 and flat[-1] <= len(row) * WINDOW_S + 1e-4)


@pytest.mark.parametrize(
    "rules", [{"threshold": 0.3, "release": 0.4}, {"threshold": 1.0}, {"padding_s": -1}]
)
def test_rules_that_contradict_themselves_are_refused(rules: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Rules(**rules)


def test_the_release_follows_the_threshold() -> None:
    assert VoiceActivity(threshold=0.3)._rules.release == pytest.approx(0.15)
    assert VoiceActivity(threshold=0.3, release=0.3)._rules.release == 0.3


def test_channels_are_mixed_down(wav) -> None:
    samples, rate = read_wav(wav([[16384, 0], [-16384, -16384]], rate=8000))
    assert rate == 8000
    assert samples.dtype == np.float32
    assert samples.tolist() == [0.25, -0.5]


def test_a_header_that_promises_too_much_is_not_believed(wav) -> None:
    whole = wav(np.arange(100))
    assert len(read_wav(whole[:-3])[0]) == 98


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "WAV file with PCM samples, got 0 bytes"),
        (b"\x89PNG\r\n\x1a\n and more", "got 17 bytes that start with"),
        (b"RIFF\x00\x00\x00\x00WAVE", "WAV file with PCM samples"),
    ],
)
def test_what_is_no_wav_is_refused_with_what_came(data: bytes, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read_wav(data)


def test_other_rates_and_widths_are_refused(wav) -> None:
    with pytest.raises(ValueError, match="8000 or 16000 hertz, got 44100"):
        read_wav(wav([0, 1], rate=44_100))
    with pytest.raises(ValueError, match="expected 16 bits per sample, got 8"):
        read_wav(wav([0, 1], width=1))


@pytest.fixture(scope="module")
def loudness(tmp_path_factory):
    """A network with Silero's inputs and outputs that takes loud for speech."""
    inputs = [
        helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, None]),
        helper.make_tensor_value_info("state", TensorProto.FLOAT, [2, 1, 128]),
        helper.make_tensor_value_info("sr", TensorProto.INT64, []),
    ]
    outputs = [
        helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 1]),
        helper.make_tensor_value_info("stateN", TensorProto.FLOAT, [2, 1, 128]),
    ]
    nodes = [
        helper.make_node("Abs", ["input"], ["size"]),
        helper.make_node("ReduceMax", ["size"], ["output"], axes=[1], keepdims=1),
        helper.make_node("Identity", ["state"], ["stateN"]),
    ]
    graph = helper.make_graph(nodes, "loudness", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    folder = tmp_path_factory.mktemp("loudness")
    onnx.save(model, str(folder / "silero_vad.onnx"))
    return folder


@pytest.mark.parametrize("rate", [8000, 16_000])
def test_a_loud_middle_is_found_at_both_rates(rate, loudness, one, wav) -> None:
    samples = np.zeros(2 * rate)
    samples[rate // 2 : rate] = 20_000
    model = VoiceActivity()
    model.load(loudness)
    answer = model.predict({"wav": one(wav(samples, rate))})
    assert answer["duration_s"] == pytest.approx([2.0])
    assert answer["segments"] == pytest.approx(np.array([[0.5, 1.0]]), abs=0.07)
    model.close()


def test_a_recording_without_a_sample_has_no_speech(loudness, one, wav) -> None:
    model = VoiceActivity()
    model.load(loudness)
    answer = model.predict({"wav": one(wav([]))})
    assert answer["segments"].shape == (0, 2)
    assert answer["duration_s"].tolist() == [0.0]


def test_a_folder_without_the_network_is_named(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r"silero_vad\.onnx"):
        VoiceActivity().load(tmp_path)
