# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from modelkeep.fetch.plan import check_room, missing_jobs, total_bytes
from modelkeep.spec.digest import Digest
from modelkeep.spec.errors import NoRoom
from modelkeep.spec.listing import Origin
from modelkeep.spec.lock import LockedModel
from modelkeep.spec.manifest import FileRow, Manifest
from modelkeep.spec.requirement import LayoutChoice


def model(name: str, files: dict[str, bytes], *sources: str) -> LockedModel:
    return LockedModel(
        name=name,
        profiles=("default",),
        wish=Digest.of(name.encode()),
        layout=LayoutChoice("plain"),
        origins=tuple(Origin(source) for source in sources or ("https://a/x",)),
        manifest=Manifest.of(FileRow(p, len(d), Digest.of(d)) for p, d in files.items()),
    )


def test_each_missing_blob_gets_one_job_and_the_largest_comes_first() -> None:
    one = model("one", {"small": b"s", "large": b"large"}, "https://a/x", "https://b/x")
    two = model("two", {"same": b"large", "there": b"there"})
    jobs = missing_jobs([one, two], lambda digest, size: digest == Digest.of(b"there"))
    assert [(job.subject, job.path) for job in jobs] == [("one", "large"), ("one", "small")]
    assert [way.origin.source for way in jobs[0].ways] == ["https://a/x", "https://b/x"]
    assert total_bytes(jobs) == 6


@pytest.mark.parametrize(
    ("coming", "free", "held", "limit"),
    [(10, 9, 0, 100), (10, 100, 95, 100), (1, 0, 0, 100)],
)
def test_what_cannot_fit_is_refused_before_the_first_byte(
    coming: int, free: int, held: int, limit: int
) -> None:
    with pytest.raises(NoRoom):
        check_room(coming, store="/s", free_bytes=free, held_bytes=held, limit_bytes=limit)


def test_what_fits_is_let_through_and_nothing_to_come_always_fits() -> None:
    check_room(10, store="/s", free_bytes=10, held_bytes=90, limit_bytes=100)
    check_room(0, store="/s", free_bytes=0, held_bytes=200, limit_bytes=100)
