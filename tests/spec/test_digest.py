# SPDX-License-Identifier: Apache-2.0
import hashlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.spec.digest import Digest
from modelkeep.spec.errors import InvalidValue

HEX = "0123456789abcdef" * 4


@given(st.binary())
def test_the_text_of_a_digest_reads_back_as_itself(data: bytes) -> None:
    digest = Digest.of(data)
    assert Digest.parse(str(digest)) == digest
    assert str(digest) == "sha256:" + hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    "text",
    [
        "",
        HEX,
        "sha256",
        "sha256:",
        f"sha512:{HEX}",
        f"sha256:{HEX.upper()}",
        f"sha256:{HEX[:-1]}",
        f"sha256:{HEX}0",
        f"sha256:{HEX}\n",
        f" sha256:{HEX}",
        f"sha256:{HEX[:-1]}٣",
        f"sha256:../{HEX[3:]}",
    ],
)
def test_a_text_that_is_no_digest_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="digest"):
        Digest.parse(text)


@pytest.mark.parametrize("digits", ["", "../../etc/passwd", HEX + "\n", HEX.upper(), f"{HEX}/x"])
def test_nothing_but_64_hex_digits_becomes_a_digest(digits: str) -> None:
    with pytest.raises(InvalidValue):
        Digest(digits)


@given(st.text())
def test_any_text_is_a_digest_or_a_typed_error(text: str) -> None:
    with suppress(InvalidValue):
        assert str(Digest.parse(text)) == text


def test_digests_sort_by_their_digits() -> None:
    digests = [Digest(f"{n:064x}") for n in (3, 1, 2)]
    assert [int(d.hex, 16) for d in sorted(digests)] == [1, 2, 3]
