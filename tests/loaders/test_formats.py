# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import collections
import io
import json
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from modelkeep.loaders import formats
from modelkeep.loaders.base import LoadSpec
from modelkeep.spec.errors import ForbiddenFormat


class Sneaky:
    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("ran",))


def zipped(**members: bytes) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), data)
    return whole.getvalue()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "thing", [Sneaky(), [Sneaky()], collections.OrderedDict(a=1), np.arange(4)], ids=repr
)
def test_a_pickle_of_any_protocol_is_recognised_under_any_name(
    tmp_path: Path, protocol: int, thing: object
) -> None:
    (tmp_path / "weights.safetensors").write_bytes(pickle.dumps(thing, protocol))
    assert formats.pickles_in(tmp_path) == ("weights.safetensors",)


def test_a_pickle_that_hides_behind_a_long_text_is_recognised(tmp_path: Path) -> None:
    long = pickle.dumps("x" * 1_000_000, 2)
    (tmp_path / "a").write_bytes(long[:-1] + b"0" + pickle.dumps(Sneaky(), 2)[2:])
    assert formats.is_pickle(tmp_path / "a")


def test_a_pickle_cut_off_before_its_end_is_recognised(tmp_path: Path) -> None:
    # Unpickling runs what comes before the cut.
    for protocol in (0, 2):
        (tmp_path / "a").write_bytes(pickle.dumps(Sneaky(), protocol)[:-1])
        assert formats.is_pickle(tmp_path / "a")


@pytest.mark.parametrize("data", [b"(cos\nsystem\nVls\no.", b"(Vls\nios\nsystem\n."])
def test_the_old_ways_of_a_call_are_recognised(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    assert formats.is_pickle(tmp_path / "a")


def test_a_zip_with_a_pickle_inside_is_one(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "model.bin").write_bytes(zipped(archive__data_pkl=b"", archive__v=b"3"))
    assert formats.pickles_in(tmp_path) == ("deep/model.bin",)


def test_a_zip_that_cannot_be_read_counts_as_one(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped(x_txt=b"text")[:40])
    assert formats.is_pickle(tmp_path / "a.zip")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"plain text\nwith lines\n",
        b"cat\ndog\nbird\n",
        b"cat\ndog\nRat\n",
        b"(import this)\nreally\n",
        b"import os\nimport sys\n",
        b"GGUF\x03\x00\x00\x00" + bytes(64),
        b"\x08\x08\x12\x07pytorch",
        json.dumps({"a": 1}).encode(),
        b"\x93NUMPY\x01\x00",
    ],
)
def test_text_and_weights_are_no_pickles(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.pkl").write_bytes(data)
    assert formats.pickles_in(tmp_path) == ()


def test_a_plain_zip_is_no_pickle(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(zipped(x_npy=b"\x93NUMPY"))
    assert not formats.is_pickle(tmp_path / "a.npz")


@pytest.mark.parametrize("size_bytes", [0x0280, 0x0380, 0x0480, 0x4E80, 0x0580])
def test_a_safetensors_header_of_an_unlucky_length_is_no_pickle(
    tmp_path: Path, size_bytes: int
) -> None:
    header = json.dumps({"__metadata__": {"format": "pt"}}).encode().ljust(size_bytes)
    (tmp_path / "m.safetensors").write_bytes(struct.pack("<Q", size_bytes) + header)
    assert formats.pickles_in(tmp_path) == ()


def test_the_check_refuses_pickle_and_code_unless_each_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(pickle.dumps(Sneaky()))
    (tmp_path / "modeling_x.py").write_text("print('hello')")
    with pytest.raises(ForbiddenFormat, match=r"allow_pickle = true, got w\.bin"):
        formats.check_allowed(LoadSpec("m", tmp_path, "x"))
    with pytest.raises(ForbiddenFormat, match=r"allow_code = true, got modeling_x\.py"):
        formats.check_allowed(LoadSpec("m", tmp_path, "x", allow_pickle=True))
    formats.check_allowed(LoadSpec("m", tmp_path, "x", allow_pickle=True, allow_code=True))


def test_a_folder_weighs_all_of_its_files_through_links(tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(bytes(10))
    view = tmp_path / "view" / "sub"
    view.mkdir(parents=True)
    (view / "a").symlink_to(tmp_path / "blob")
    (view / "b").write_bytes(bytes(5))
    assert formats.size_of(tmp_path / "view") == 15
