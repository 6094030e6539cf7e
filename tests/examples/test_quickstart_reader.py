# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from quickstart_models.reader import TextReader, read_png
from quickstart_models.reader.detection import Rules, boxes_from_map, input_size
from quickstart_models.reader.direction import Director
from quickstart_models.reader.geometry import (
    as_tensor,
    corners_in_order,
    cut_out,
    fit_line,
    reading_order,
)
from quickstart_models.reader.recognition import alphabet, decode

RULES = Rules()


def box(left: float, top: float, right: float, bottom: float):
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


def columns(text: str, characters: list[str], sure: float = 0.9):
    """One column per sign of the text, `-` for a blank, `_` for a space."""
    signs = ["-" if sign == "" else sign.replace(" ", "_") for sign in characters]
    made = np.full((len(text), len(signs)), (1 - sure) / (len(signs) - 1), np.float32)
    made[np.arange(len(text)), [signs.index(sign) for sign in text]] = sure
    return made


# -- recognition


def test_the_alphabet_has_the_blank_before_and_the_space_behind() -> None:
    assert alphabet("a\nb\nc") == ["", "a", "b", "c", " "]


@pytest.mark.parametrize(
    ("seen", "text"),
    [
        ("cab", "cab"),
        ("-c-a-b-", "cab"),
        ("ccaaabb", "cab"),
        ("ab-ba", "abba"),
        ("a-a-a", "aaa"),
        ("a_b", "a b"),
        ("a__b", "a b"),
        ("-----", ""),
        ("", ""),
    ],
)
def test_repeats_count_once_unless_a_blank_parts_them(seen: str, text: str) -> None:
    assert decode(columns(seen, alphabet("a\nb\nc")), alphabet("a\nb\nc"))[0] == text


def test_the_score_is_the_mean_of_the_characters_alone() -> None:
    characters = alphabet("a\nb")
    seen = np.concatenate([columns("-a", characters, 0.9), columns("b", characters, 0.5)])
    assert decode(seen, characters)[1] == pytest.approx(0.7)
    assert decode(columns("--", characters), characters) == ("", 0.0)


def test_an_alphabet_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 4 characters, one per class, got 5"):
        decode(columns("a", alphabet("a\nb")), alphabet("a\nb\nc"))


# -- detection


def test_a_drawn_line_becomes_a_box_grown_by_area_over_perimeter() -> None:
    seen = np.zeros((100, 200), np.float32)
    seen[40:52, 50:150] = 0.9
    (found,) = boxes_from_map(seen, RULES)
    # The core's corners lie in the middle of its pixels; closing gaps adds one each way.
    width, height = 100, 12
    margin = width * height * RULES.growth / (2 * (width + height))
    expected = box(50 - margin, 40 - margin, 150 + margin, 52 + margin)
    assert found == pytest.approx(expected, abs=1.0)


def test_a_leaning_line_keeps_its_angle() -> None:
    seen = np.zeros((200, 300), np.float32)
    cv2.fillPoly(seen, [np.array([[50, 60], [250, 100], [247, 115], [47, 75]])], (0.8,))
    (found,) = boxes_from_map(seen, RULES)
    along = found[1] - found[0]
    assert np.degrees(np.arctan2(along[1], along[0])) == pytest.approx(11.3, abs=1.0)
    assert found[0, 0] < found[1, 0]


def test_two_lines_are_two_boxes_and_an_empty_map_none() -> None:
    seen = np.zeros((120, 200), np.float32)
    seen[20:30, 20:180] = seen[70:80, 20:180] = 0.9
    assert len(boxes_from_map(seen, RULES)) == 2
    assert boxes_from_map(np.zeros((64, 64), np.float32), RULES) == []


@pytest.mark.parametrize(
    ("height", "probability"), [(1, 0.9), (12, 0.25), (12, 0.4)], ids=["dust", "dark", "faint"]
)
def test_dust_and_faint_regions_are_no_lines(height: int, probability: float) -> None:
    seen = np.zeros((100, 200), np.float32)
    seen[40 : 40 + height, 50:150] = probability
    assert boxes_from_map(seen, RULES) == []


@pytest.mark.parametrize(
    ("size", "seen"),
    [
        ((1000, 800), (992, 800)),  # large enough: only rounded
        ((400, 200), (1472, 736)),  # the short side is enlarged
        ((1000, 50), (1984, 96)),  # but the long side has its limit
        ((4000, 3000), (1984, 1504)),  # and is shrunk to it
        ((5000, 10), (1984, 32)),  # never to nothing
    ],
)
def test_the_network_sees_multiples_of_32(size: tuple[int, int], seen: tuple[int, int]) -> None:
    assert input_size(*size, RULES) == seen


# -- geometry


def test_corners_are_put_in_order_whatever_order_they_come_in() -> None:
    right = box(10, 20, 110, 50)
    for turn in range(4):
        assert corners_in_order(np.roll(right, turn, axis=0)).tolist() == right.tolist()
    assert corners_in_order(right[::-1]).tolist() == right.tolist()


def test_boxes_are_read_row_by_row() -> None:
    first_left, first_right = box(10, 12, 90, 32), box(100, 10, 200, 30)
    second, third = box(5, 50, 60, 70), box(0, 100, 50, 120)
    found = reading_order([third, first_right, second, first_left])
    expected = [first_left, first_right, second, third]
    assert [one.tolist() for one in found] == [one.tolist() for one in expected]
    assert reading_order([]) == []


def test_a_box_is_cut_out_upright_and_a_standing_one_laid_flat() -> None:
    picture = np.zeros((100, 100, 3), np.uint8)
    picture[20:30, 10:60] = 200
    flat = cut_out(picture, box(10, 20, 60, 30))
    assert flat.shape == (10, 50, 3)
    assert flat.mean() > 195
    assert cut_out(picture, box(10, 20, 20, 70)).shape == (10, 50, 3)


def test_pixels_become_values_from_minus_one_to_one() -> None:
    picture = np.array([[[0, 127.5, 255]]]).astype(np.uint8)
    assert as_tensor(picture).ravel() == pytest.approx([-1, 0, 1], abs=0.01)


def test_a_line_is_filled_up_or_cut_to_its_width() -> None:
    line = np.full((24, 60, 3), 255, np.uint8)
    fitted = fit_line(line, 48, 192)
    assert fitted.shape == (1, 3, 48, 192)
    assert (fitted[..., :120] == 1).all()
    assert (fitted[..., 120:] == 0).all()
    assert (fit_line(line, 48, 64) == 1).all()


# -- direction


@pytest.fixture(scope="module")
def bright_below():
    """A network that calls a line upside down if its lower half is the brighter one."""
    nodes = [
        helper.make_node("Slice", ["x", "zero", "middle", "axis"], ["above"]),
        helper.make_node("Slice", ["x", "middle", "end", "axis"], ["below"]),
        helper.make_node("ReduceMean", ["above"], ["a"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("ReduceMean", ["below"], ["b"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Greater", ["b", "a"], ["turned"]),
        helper.make_node("Cast", ["turned"], ["t"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["one", "t"], ["u"]),
        helper.make_node("Unsqueeze", ["u", "axis1"], ["u2"]),
        helper.make_node("Unsqueeze", ["t", "axis1"], ["t2"]),
        helper.make_node("Concat", ["u2", "t2"], ["scores"], axis=1),
    ]
    numbers = {"zero": 0, "middle": 24, "end": 48, "axis": 2, "axis1": 1}
    constants = [helper.make_tensor(n, TensorProto.INT64, [1], [v]) for n, v in numbers.items()]
    constants.append(helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0]))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3, 48, 192])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, 2])
    graph = helper.make_graph(nodes, "bright_below", [x], [scores], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )


def test_only_a_line_on_its_head_is_turned(bright_below) -> None:
    line = np.zeros((48, 192, 3), np.uint8)
    line[:20, :100] = 255
    director = Director(bright_below)
    assert director.upright(line) is line
    assert (director.upright(np.rot90(line, 2)) == line).all()


# -- pictures


def png(picture) -> bytes:
    return cv2.imencode(".png", picture)[1].tobytes()


def test_a_png_is_read_in_colour_whatever_it_is_stored_in() -> None:
    colour = np.zeros((4, 5, 3), np.uint8)
    colour[..., 0] = 200
    assert (read_png(png(colour), 100) == colour).all()
    assert (
        read_png(png(np.full((4, 5), 7, np.uint8)), 100).tolist() == np.full((4, 5, 3), 7).tolist()
    )
    deep = read_png(png(np.full((4, 5, 3), 0xFFFF, np.uint16)), 100)
    assert deep.dtype == np.uint8
    assert (deep == 255).all()


@pytest.mark.parametrize(("kind", "full"), [(np.uint8, 255), (np.uint16, 65535)])
def test_what_is_transparent_becomes_white_paper(kind: type, full: int) -> None:
    picture = np.zeros((2, 2, 4), kind)
    picture[0, :, 3] = full
    assert read_png(png(picture), 100)[..., 0].tolist() == [[0, 0], [255, 255]]


@pytest.mark.parametrize("data", [b"", b"RIFF....WAVEfmt ", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_png_is_refused_with_what_came(data: bytes) -> None:
    with pytest.raises(ValueError, match=f"expected a PNG file, got {len(data)} bytes"):
        read_png(data, 100)


def test_a_damaged_png_is_refused() -> None:
    whole = png(np.zeros((20, 20, 3), np.uint8))
    with pytest.raises(ValueError, match="expected a whole PNG file, got 24 damaged bytes"):
        read_png(whole[:24], 1000)


def test_a_picture_that_promises_too_many_pixels_is_not_unpacked() -> None:
    huge = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 60_000, 60_000)
    with pytest.raises(ValueError, match="at most 100 pixels, got 60000 x 60000 = 3600000000"):
        read_png(huge, 100)


def test_a_reader_without_its_networks_says_so(one, tmp_path) -> None:
    with pytest.raises(RuntimeError, match="predict before load"):
        TextReader().predict({"png": one(b"")})
    with pytest.raises(FileNotFoundError, match=r"ch_PP-OCRv4_det_infer\.onnx"):
        TextReader().load(tmp_path)
