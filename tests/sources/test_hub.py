# SPDX-License-Identifier: Apache-2.0
import json
import os

import pytest

from modelkeep.sources import find
from modelkeep.spec.digest import Digest
from modelkeep.spec.errors import (
    AccessDenied,
    ForbiddenAddress,
    NotFound,
    Offline,
    Unreachable,
    UnsafePath,
)
from modelkeep.spec.listing import Origin
from modelkeep.spec.settings import Credential
from modelkeep.spec.uri import SourceUri
from modelkeep.wire.answers import Transient
from servers.hub import Hub, Repo
from servers.origin import Origin as Server
from servers.origin import Reply
from sources.reading import no_archive, read

WEIGHTS = os.urandom(300_000)
FILES = {
    "config.json": b"{}",
    "model.safetensors": WEIGHTS,
    "onnx/model #1.onnx": b"onnx",
    "empty": b"",
}
MAIN, V1 = "a" * 40, "b" * 40


def make_repo(**changes):
    refs = {"main": MAIN, "v1": V1, "refs/pr/1": "c" * 40}
    return Repo(dict(FILES), frozenset({"model.safetensors"}), refs, **changes)


@pytest.fixture
def hub():
    repos = {"org/name": make_repo(), "datasets/org/data": make_repo(), "gpt2": make_repo()}
    with Hub(repos) as server:
        yield server


@pytest.fixture
def source(context, hub):
    return find("hf", context(hub=hub.endpoint))


def listed(source, text, revision=None):
    return source.list(SourceUri.parse(text), revision, no_archive)


def test_a_repository_lists_its_files_at_the_commit_of_main(source):
    listing = listed(source, "hf:org/name")
    assert listing.origin == Origin("hf:org/name", MAIN, "main")
    found = {file.path: (file.size_bytes, file.digest) for file in listing.files}
    assert found == {
        "config.json": (2, None),
        "empty": (0, None),
        "model.safetensors": (len(WEIGHTS), Digest.of(WEIGHTS)),
        "onnx/model #1.onnx": (4, None),
    }


@pytest.mark.parametrize(
    ("text", "revision", "commit", "ref"),
    [
        ("hf:org/name@v1", None, V1, "v1"),
        ("hf:org/name", "v1", V1, "v1"),
        ("hf:org/name@main", "v1", MAIN, "main"),
        ("hf:org/name@" + V1, None, V1, V1),
        ("hf:org/name", "refs/pr/1", "c" * 40, "refs/pr/1"),
    ],
)
def test_a_branch_tag_or_commit_is_resolved_to_a_commit(source, text, revision, commit, ref):
    origin = listed(source, text, revision).origin
    assert origin == Origin("hf:org/name", commit, ref)


@pytest.mark.parametrize("text", ["hf:datasets/org/data", "hf:gpt2"])
def test_datasets_and_old_short_names_have_their_own_routes(source, text):
    listing = listed(source, text)
    assert listing.origin.source == text
    assert read(source.open(listing.origin, "config.json", 0)) == b"{}"


@pytest.mark.parametrize("path", sorted(FILES))
def test_every_file_opens_at_the_commit_from_any_byte(source, path):
    origin = listed(source, "hf:org/name").origin
    for start in {0, len(FILES[path]) // 2}:
        assert read(source.open(origin, path, start)) == FILES[path][start:]


def test_a_long_tree_comes_in_pages(context):
    repo = Repo({f"f{n:03}": b"x" for n in range(25)})
    with Hub({"org/name": repo}, page_rows=10) as hub:
        listing = listed(find("hf", context(hub=hub.endpoint)), "hf:org/name")
        assert [file.path for file in listing.files] == sorted(repo.files)
        assert len([r for r in hub.requests if "/tree/" in r.path]) == 3


def test_an_endpoint_may_have_a_path_and_a_last_slash(context):
    with Hub({"org/name": make_repo()}, prefix="/mirror/hf") as hub:
        source = find("hf", context(hub=hub.endpoint + "/"))
        origin = listed(source, "hf:org/name").origin
        assert read(source.open(origin, "config.json", 0)) == b"{}"


def test_the_token_goes_to_the_hub_and_not_to_where_files_lie(context):
    with Server() as files, Hub({"org/name": make_repo(token="hunter2")}, files_at=files) as hub:
        secret = (Credential(hub.url, "Bearer hunter2"),)
        source = find("hf", context(hub=hub.endpoint, credentials=secret))
        origin = listed(source, "hf:org/name").origin
        assert read(source.open(origin, "model.safetensors", 100)) == WEIGHTS[100:]
        assert "hunter2" not in str([dict(request.headers) for request in files.requests])
        assert hub.requests[-1].headers["authorization"] == "Bearer hunter2"


def test_an_expired_signed_url_is_asked_for_anew(context):
    with Server() as files, Hub({"org/name": make_repo()}, files_at=files) as hub:
        source = find("hf", context(hub=hub.endpoint))
        origin = listed(source, "hf:org/name").origin
        files.fail(f"/{Digest.of(WEIGHTS).hex}", 403)
        with pytest.raises(Transient) as caught:
            source.open(origin, "model.safetensors", 0)
        assert "secret-of-the-url" not in str(caught.value)
        assert read(source.open(origin, "model.safetensors", 0)) == WEIGHTS


def test_a_hub_that_sends_us_to_a_private_address_is_not_followed(context, hub):
    source = find("hf", context(hub=hub.endpoint))
    path = f"/org/name/resolve/{MAIN}/config.json"
    hub.redirect(path, f"http://localhost:{hub.port}/secrets")
    with pytest.raises(ForbiddenAddress):
        source.open(Origin("hf:org/name", MAIN), "config.json", 0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hf:org/gone", "none, or a private one"),
        ("hf:org/name@gone", "no such revision"),
    ],
)
def test_what_is_not_there_is_told(source, text, words):
    with pytest.raises(NotFound, match=words):
        listed(source, text)


def test_a_missing_file_is_told(source):
    with pytest.raises(NotFound, match="no such file"):
        source.open(Origin("hf:org/name", MAIN), "gone.bin", 0)


def test_a_gated_repository_says_what_to_do_and_not_the_token(context, hub):
    hub.repos["org/gated"] = make_repo(gated=True, token="right")
    wrong = (Credential(hub.url, "Bearer hunter2"),)
    source = find("hf", context(hub=hub.endpoint, credentials=wrong))
    for ask in (
        lambda: listed(source, "hf:org/gated"),
        lambda: source.open(Origin("hf:org/gated", MAIN), "config.json", 0),
    ):
        with pytest.raises(AccessDenied, match=r"licence must be .*/org/gated") as error:
            ask()
        assert "hunter2" not in str(error.value)


def test_a_private_repository_is_not_found_without_its_token(context, hub):
    hub.repos["org/mine"] = make_repo(token="right")
    with pytest.raises(NotFound, match="private"):
        listed(find("hf", context(hub=hub.endpoint)), "hf:org/mine")


@pytest.mark.parametrize(("status", "kind"), [(401, AccessDenied), (404, NotFound)])
def test_a_refusal_without_a_code_is_told_by_its_status(source, hub, status, kind):
    hub.fail("/api/models/org/name/revision/main", status)
    with pytest.raises(kind, match=str(status)):
        listed(source, "hf:org/name")


def test_another_commit_than_the_locked_one_is_refused(source, hub):
    hub.repos["org/name"].says_commit = "d" * 40
    with pytest.raises(Unreachable, match=f"expected commit {MAIN}"):
        source.open(Origin("hf:org/name", MAIN), "config.json", 0)


def answers(hub, path, value):
    """Let the hub answer one route with this JSON, or these bytes."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    honest = hub.reply
    hub.reply = lambda request: Reply(200, data) if request.path == path else honest(request)


REVISION = "/api/models/org/name/revision/main"
TREE = f"/api/models/org/name/tree/{MAIN}"


@pytest.mark.parametrize("value", [b"<html>", [], {}, {"sha": "abc"}, {"sha": 7}])
def test_an_answer_without_a_commit_is_no_hubs(source, hub, value):
    answers(hub, REVISION, value)
    with pytest.raises(Unreachable):
        listed(source, "hf:org/name")


def test_another_commit_than_the_asked_one_is_refused(source, hub):
    answers(hub, f"/api/models/org/name/revision/{V1}", {"sha": MAIN})
    with pytest.raises(Unreachable, match=V1):
        listed(source, f"hf:org/name@{V1}")


@pytest.mark.parametrize(
    "value",
    [
        {},
        [7],
        [{"type": "link", "path": "x", "size": 1}],
        [{"type": "file", "path": "x"}],
        [{"type": "file", "path": 7, "size": 1}],
        [{"type": "file", "path": "x", "size": -1}],
        [{"type": "file", "path": "x", "size": "1"}],
        [{"type": "file", "path": "x", "size": 1, "lfs": {"oid": "../../x", "size": 1}}],
        [{"type": "file", "path": "x", "size": 1, "lfs": [1]}],
    ],
)
def test_a_tree_of_another_shape_is_no_hubs(source, hub, value):
    answers(hub, TREE, value)
    with pytest.raises(Unreachable):
        listed(source, "hf:org/name")


@pytest.mark.parametrize("paths", [["../x"], ["/x"], ["a\\b"], ["x", "x"], ["x", "x/y"]])
def test_a_tree_with_unsafe_paths_is_refused(source, hub, paths):
    answers(hub, TREE, [{"type": "file", "path": path, "size": 1} for path in paths])
    with pytest.raises(UnsafePath):
        listed(source, "hf:org/name")


def test_a_tree_without_end_is_given_up(source, hub, monkeypatch):
    monkeypatch.setattr("modelkeep.sources.hub.MAX_PAGES", 5)
    following = {"Link": f'<{TREE}?again=1>; rel="next"'}
    honest = hub.reply
    hub.reply = lambda r: Reply(200, b"[]", following) if r.path == TREE else honest(r)
    with pytest.raises(Unreachable, match="5 pages"):
        listed(source, "hf:org/name")


def test_a_next_page_at_a_private_address_is_not_asked(source, hub):
    elsewhere = {"Link": f'<http://localhost:{hub.port}/internal>; rel="next"'}
    honest = hub.reply
    hub.reply = lambda r: Reply(200, b"[]", elsewhere) if r.path == TREE else honest(r)
    with pytest.raises(ForbiddenAddress):
        listed(source, "hf:org/name")


def test_a_busy_hub_is_asked_again(source, hub):
    hub.fail(REVISION, 429, headers={"ratelimit": '"api";r=0;t=1'})
    hub.fail(TREE, 503, times=2)
    assert len(listed(source, "hf:org/name").files) == 4


def test_offline_asks_nobody(context, hub):
    with pytest.raises(Offline):
        listed(find("hf", context(hub=hub.endpoint, offline=True)), "hf:org/name")
    assert not hub.requests


def test_a_repository_has_no_archive(source):
    with pytest.raises(NotFound):
        source.open_archive(Origin("hf:org/name", MAIN), 0)
