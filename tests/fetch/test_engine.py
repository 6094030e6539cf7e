# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import random
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest

from fetch.conftest import QUICK, Bench
from modelkeep.fetch.plan import Job, Way
from modelkeep.spec.digest import Digest
from modelkeep.spec.errors import (
    DigestMismatch,
    KeepError,
    NoRoom,
    NotFound,
    Unreachable,
    UnsafeArchive,
)
from modelkeep.spec.events import BlobStored, BytesArrived, FetchDone, FetchPlanned, Warned
from modelkeep.spec.listing import Archive, Origin
from modelkeep.spec.settings import Network
from modelkeep.store.blobs import check_blob, has_blob
from servers.index import make_wheel
from servers.origin import Origin as Server

DATA = random.Random(1).randbytes(3_000_000)


def job(
    *urls: str, data: bytes = DATA, digest: bool = True, size: bool = True, path: str = "f"
) -> Job:
    ways = tuple(Way(Origin(url), path) for url in urls)
    return Job("m", path, ways, Digest.of(data) if digest else None, len(data) if size else None)


def test_a_file_arrives_whole_and_verified_and_nothing_else_is_left(bench: Bench) -> None:
    with Server({"/f": DATA}) as server, bench.fetcher() as fetcher:
        fetcher.fetch([job(server.url_for("/f"))])
    assert check_blob(bench.tree, Digest.of(DATA))
    assert bench.tree.blob(Digest.of(DATA)).stat().st_mode & 0o777 == 0o444
    assert bench.leftovers() == []
    kinds = [type(event) for event in bench.events]
    assert kinds[0] is FetchPlanned
    assert kinds[-2:] == [BlobStored, FetchDone]
    assert BytesArrived in kinds


def test_other_bytes_of_the_same_size_are_refused_with_both_digests(bench: Bench) -> None:
    lie = bytes(len(DATA))
    with Server({"/f": DATA}) as server, bench.fetcher() as fetcher:
        server.lie("/f", lie)
        with pytest.raises(DigestMismatch) as caught:
            fetcher.fetch([job(server.url_for("/f"))])
    assert str(Digest.of(DATA)) in str(caught.value)
    assert str(Digest.of(lie)) in str(caught.value)
    assert not has_blob(bench.tree, Digest.of(lie))
    assert bench.leftovers() == []


@pytest.mark.parametrize("other", [b"", b"short", DATA + b"more"])
def test_bytes_of_another_size_are_refused(bench: Bench, other: bytes) -> None:
    with Server({"/f": other}) as server, bench.fetcher() as fetcher:
        wish = [job(server.url_for("/f"))]
        with pytest.raises(DigestMismatch):
            fetcher.fetch(wish)
    assert not has_blob(bench.tree, Digest.of(DATA))


def test_a_broken_connection_is_resumed_where_it_broke(bench: Bench) -> None:
    with Server({"/f": DATA}) as server, bench.fetcher() as fetcher:
        server.cut_after("/f", 1_000_000, times=2)
        fetcher.fetch([job(server.url_for("/f"))])
        assert server.sent_bytes("/f") <= len(DATA)
        first, *later = [r.headers.get("range") for r in server.asked("/f")]
        assert first is None
        assert all(later)
    assert check_blob(bench.tree, Digest.of(DATA))


def test_a_file_that_breaks_more_often_than_there_are_retries_still_arrives(bench: Bench) -> None:
    with Server({"/f": DATA}) as server, bench.fetcher() as fetcher:
        server.cut_after("/f", 400_000, times=7)
        fetcher.fetch([job(server.url_for("/f"))])
    assert check_blob(bench.tree, Digest.of(DATA))


def test_an_origin_that_ignores_ranges_gives_the_right_bytes_too(bench: Bench) -> None:
    with Server({"/f": DATA}) as server, bench.fetcher() as fetcher:
        server.cut_after("/f", 1_000_000)
        server.ignore_range("/f")
        fetcher.fetch([job(server.url_for("/f"))])
    assert check_blob(bench.tree, Digest.of(DATA))


def test_a_range_that_begins_elsewhere_is_not_taken_and_the_file_begins_anew(
    bench: Bench,
) -> None:
    with Server({"/f": DATA}) as server, bench.fetcher() as fetcher:
        server.cut_after("/f", 1_000_000)
        server.change_headers("/f", {"Content-Range": "bytes 5-9/10"}, 2)
        fetcher.fetch([job(server.url_for("/f"))])
        assert [r.headers.get("range") is None for r in server.asked("/f")] == [True, False, True]
    assert check_blob(bench.tree, Digest.of(DATA))


def test_a_body_that_goes_on_past_the_promised_size_is_left(bench: Bench) -> None:
    with Server({"/f": DATA + b"more"}) as server, bench.fetcher() as fetcher:
        server.change_headers("/f", {"Content-Length": None})
        wish = job(server.url_for("/f"))
        with pytest.raises(DigestMismatch, match="more than 3000000 bytes"):
            fetcher.fetch([wish])


def test_without_a_digest_a_broken_file_begins_anew_so_that_versions_cannot_mix(
    bench: Bench,
) -> None:
    with Server({"/f": DATA}) as server, bench.fetcher() as fetcher:
        server.cut_after("/f", 1_000_000)
        wish = job(server.url_for("/f"), digest=False)
        assert fetcher.fetch([wish]) == {wish: Digest.of(DATA)}
        assert [r.headers.get("range") for r in server.asked("/f")] == [None, None]
    assert bench.leftovers() == []


def test_the_next_source_is_asked_when_one_fails_or_lies(bench: Bench) -> None:
    with Server({"/f": DATA}) as good, Server({"/f": bytes(len(DATA))}) as liar:
        urls = (liar.url_for("/none"), liar.url_for("/f"), good.url_for("/f"))
        with bench.fetcher() as fetcher:
            fetcher.fetch([job(*urls)])
    assert check_blob(bench.tree, Digest.of(DATA))
    assert sum(isinstance(event, Warned) for event in bench.events) == 2


def test_a_wrong_digest_is_told_before_a_source_that_was_not_there(bench: Bench) -> None:
    with Server({"/f": bytes(len(DATA))}) as liar, bench.fetcher() as fetcher:
        wish = [job(liar.url_for("/f"), liar.url_for("/none"))]
        with pytest.raises(DigestMismatch):
            fetcher.fetch(wish)


def test_the_first_failure_stops_the_others_and_keeps_what_they_have(bench: Bench) -> None:
    with Server({"/slow": DATA}) as server, bench.fetcher() as fetcher:
        server.slow("/slow", 100_000, 0.1)
        jobs = [
            job(server.url_for("/slow"), path="slow"),
            job(server.url_for("/none"), data=b"x", path="none"),
        ]
        with pytest.raises(NotFound):
            fetcher.fetch(jobs)
    assert not has_blob(bench.tree, Digest.of(DATA))


def test_a_server_that_is_gone_is_unreachable_after_every_retry(bench: Bench) -> None:
    with Server({"/f": DATA}) as server:
        url = server.url_for("/f")
    with bench.fetcher() as fetcher, pytest.raises(Unreachable):
        fetcher.fetch([job(url)])


def test_a_store_that_would_grow_past_its_limit_is_told_before_a_byte_is_asked_for(
    bench: Bench,
) -> None:
    bench.limit_bytes = 1000
    with Server({"/f": DATA}) as server, bench.fetcher() as fetcher:
        with pytest.raises(NoRoom):
            fetcher.fetch([job(server.url_for("/f"))])
        assert server.requests == []


CHILD = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from fetch.conftest import Bench
    from fetch.test_engine import job
    bench = Bench(Path(sys.argv[1]))
    with bench.fetcher() as fetcher:
        fetcher.fetch([job(sys.argv[2])])
    bench.close()
    """
)


def start_child(folder: Path, url: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), url], env=environment, stderr=subprocess.PIPE
    )


def wait_for(condition: object, limit_s: float = 30.0) -> None:
    end = time.monotonic() + limit_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not come to pass in time"
        time.sleep(0.01)


def test_a_killed_download_goes_on_where_it_stood(bench: Bench, tmp_path: Path) -> None:
    data = random.Random(2).randbytes(40_000_000)
    with Server({"/f": data}) as server:
        server.stall("/f", 36_000_000)
        wish = job(server.url_for("/f"), data=data)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        code = CHILD.replace("job(sys.argv[2])", "job(sys.argv[2], data=DATA)").replace(
            "bench = ", "import random; DATA = random.Random(2).randbytes(40_000_000); bench = "
        )
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), server.url_for("/f")], env=environment
        )
        try:
            wait_for(lambda: server.sent_bytes("/f") >= 36_000_000)
            wait_for(lambda: '"ranges": [[0, 3' in _record(bench))
        finally:
            child.kill()
            child.wait()
        before = server.sent_bytes("/f")
        with bench.fetcher() as fetcher:
            fetcher.fetch([wish])
        assert server.sent_bytes("/f") - before < 10_000_000
    assert check_blob(bench.tree, Digest.of(data))
    assert bench.leftovers() == []


def _record(bench: Bench) -> str:
    return "".join(path.read_text() for path in bench.tree.tmp.glob("*/record.json"))


def test_processes_that_start_at_once_download_each_blob_once(bench: Bench, tmp_path: Path) -> None:
    with Server({"/f": DATA}) as server:
        server.slow("/f", 200_000, 0.02)
        children = [start_child(tmp_path, server.url_for("/f")) for _ in range(8)]
        for child in children:
            _, said = child.communicate(timeout=120)
            assert child.returncode == 0, said.decode()
        assert server.sent_bytes("/f") == len(DATA)
        assert len(server.asked("/f")) == 1
    assert check_blob(bench.tree, Digest.of(DATA))
    assert bench.leftovers() == []


def archive_job(server: Server, wheel: bytes, *members: tuple[str, bytes]) -> list[Job]:
    """Jobs for members of a wheel, each of its own way."""
    origin = Origin(
        "pypi:pkg", "1.0", archive=Archive("p.whl", server.url_for("/p.whl"), Digest.of(wheel), "d")
    )
    return [
        Job("m", path, (Way(origin, path),), Digest.of(data), len(data)) for path, data in members
    ]


def test_members_of_one_archive_cost_one_download_of_it(bench: Bench) -> None:
    wheel = make_wheel({"d/a": b"aaa", "d/b": b"bbb", "d/code.py": b"x"})
    with Server({"/p.whl": wheel}) as server, bench.fetcher(_private(QUICK)) as fetcher:
        fetcher.fetch(archive_job(server, wheel, ("a", b"aaa"), ("b", b"bbb")))
        assert len(server.asked("/p.whl")) == 1
    assert has_blob(bench.tree, Digest.of(b"aaa"), 3)
    assert has_blob(bench.tree, Digest.of(b"bbb"), 3)
    assert not has_blob(bench.tree, Digest.of(b"x"))
    assert bench.leftovers() == []


def test_an_archive_of_other_bytes_is_refused(bench: Bench) -> None:
    wheel = make_wheel({"d/a": b"aaa"})
    with Server({"/p.whl": wheel}) as server, bench.fetcher(_private(QUICK)) as fetcher:
        server.lie("/p.whl", bytes(len(wheel)))
        with pytest.raises(DigestMismatch) as caught:
            fetcher.fetch(archive_job(server, wheel, ("a", b"aaa")))
    assert str(Digest.of(wheel)) in str(caught.value)
    assert bench.leftovers() == []


def test_a_member_that_is_not_in_its_archive_is_told(bench: Bench) -> None:
    wheel = make_wheel({"d/a": b"aaa"})
    with Server({"/p.whl": wheel}) as server, bench.fetcher(_private(QUICK)) as fetcher:
        wish = archive_job(server, wheel, ("gone", b"g"))
        with pytest.raises((NotFound, UnsafeArchive)):
            fetcher.fetch(wish)


def _private(network: Network) -> Network:
    return replace(network, private_hosts=("127.0.0.1",))


@pytest.mark.parametrize("seed", range(40))
def test_random_mischief_gives_the_right_bytes_or_a_typed_error(bench: Bench, seed: int) -> None:
    """DESIGN: never wrong bytes. Each seed orders a few faults of the origin."""
    chance = random.Random(seed)
    data = chance.randbytes(chance.randrange(1, 400_000))
    with Server({"/f": data}) as server, bench.fetcher() as fetcher:
        for _ in range(chance.randrange(1, 4)):
            match chance.randrange(7):
                case 0:
                    server.cut_after("/f", chance.randrange(len(data)), reset=chance.random() < 0.5)
                case 1:
                    server.fail("/f", chance.choice([429, 500, 503, 404, 416]))
                case 2:
                    server.ignore_range("/f", 2)
                case 3:
                    server.lie("/f", chance.randbytes(len(data)), 1)
                case 4:
                    server.change_headers("/f", {"Content-Length": str(len(data) + 9)}, 1)
                case 5:
                    server.change_headers("/f", {"Content-Range": "bytes 5-9/10"}, 1)
                case 6:
                    server.lie("/f", data[: len(data) // 2], 1)
        try:
            fetcher.fetch([job(server.url_for("/f"), data=data)])
        except KeepError:
            assert not has_blob(bench.tree, Digest.of(data))
        else:
            assert check_blob(bench.tree, Digest.of(data))
