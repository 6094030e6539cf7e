# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from keep.conftest import MakeKeep
from modelkeep.spec.digest import Digest
from modelkeep.spec.emit import Event
from modelkeep.spec.errors import (
    DigestMismatch,
    ForbiddenFormat,
    InvalidDocument,
    InvalidValue,
    MissingFile,
    NoRoom,
    NotFound,
    Offline,
    StaleLock,
    UnknownModel,
    Unreachable,
)
from modelkeep.spec.events import Warned
from servers.hub import Hub, Repo
from servers.index import Index, make_sdist, make_wheel
from servers.origin import Origin as Server

FOLDER = '[models.m]\nsource = "file:../weights"\n'


def lock_text(make: MakeKeep) -> str:
    return make().project.lock_path.read_text()


def test_a_folder_is_locked_fetched_and_shown(make: MakeKeep, weights: Path) -> None:
    keep = make(FOLDER)
    report = keep.lock()
    assert (report.added, report.files, report.written) == (("m",), 2, True)
    synced = keep.sync()
    assert (synced.fetched, synced.presented) == (0, True)
    path = keep.path("m")
    assert (path / "model.bin").read_bytes() == (weights / "model.bin").read_bytes()
    assert (path / "sub" / "config.json").read_bytes() == b"{}"
    assert keep.list()[0].state == "present"


def test_a_second_lock_and_sync_change_nothing(make: MakeKeep, weights: Path) -> None:
    make(FOLDER).sync()
    before = lock_text(make)
    assert make().lock().written is False
    again = make().sync()
    assert (again.fetched, again.presented) == (0, False)
    assert lock_text(make) == before


def test_the_lock_is_the_same_bytes_wherever_the_store_is(make: MakeKeep, weights: Path) -> None:
    make(FOLDER).lock()
    before = lock_text(make)
    make().project.lock_path.unlink()
    make(MODELKEEP_HOME=str(weights.parent / "other")).lock()
    assert lock_text(make) == before


def test_lock_resolves_only_what_models_toml_changed(make: MakeKeep, weights: Path) -> None:
    make(FOLDER).lock()
    identity = make().model("m").identity
    (weights / "model.bin").write_bytes(b"new")
    added = make(FOLDER + '[models.n]\nsource = "file:../weights"\n').lock()
    assert (added.added, added.changed) == (("n",), ())
    assert make().model("m").identity == identity
    assert make().lock(upgrade=["m"]).changed == ("m",)
    assert make().model("m").identity == make().model("n").identity


def test_all_models_are_resolved_anew_when_asked(make: MakeKeep, weights: Path) -> None:
    make(FOLDER).lock()
    (weights / "model.bin").write_bytes(b"new")
    assert make().lock(upgrade=["*"]).changed == ("m",)
    with pytest.raises(UnknownModel):
        make().lock(upgrade=["nobody"])


def test_a_stale_lock_is_told_and_never_resolved_when_locked(make: MakeKeep, weights: Path) -> None:
    keep = make(FOLDER)
    assert keep.check_lock() == ["there is no models.lock"]
    with pytest.raises(StaleLock):
        keep.sync(locked=True)
    keep.lock()
    changed = make(FOLDER + 'files = ["model.bin"]\n')
    assert changed.check_lock() == ["model m asks for something else now"]
    with pytest.raises(StaleLock):
        changed.path("m")
    assert make("[models]\n").check_lock() == ["model m is no longer asked for"]


def test_how_a_model_runs_needs_no_new_lock(make: MakeKeep, weights: Path) -> None:
    make(FOLDER).lock()
    text = FOLDER + 'loader = "python"\npriority = "lazy"\noptions = { a = 1 }\n'
    assert make(text).check_lock() == []


def test_profiles_are_locked_together_and_shown_apart(make: MakeKeep, weights: Path) -> None:
    text = (
        FOLDER
        + '[models.extra]\nsource = "file:../weights"\n'
        + '[profiles.dev.models.m]\nfiles = ["sub/*"]\n'
        + "[profiles.dev.models.extra]\nenabled = false\n"
    )
    make(text).sync()
    assert len(make().model("m").manifest.files) == 2
    dev = make(profile="dev")
    assert [row.state for row in dev.list()] == ["present", "disabled"]
    dev.sync()
    assert [p.name for p in dev.path("m").rglob("*") if p.is_file()] == ["config.json"]
    assert dev.view.folder != make().view.folder
    with pytest.raises(UnknownModel):
        dev.path("extra")


def test_a_variable_that_changed_since_the_lock_is_named(make: MakeKeep, weights: Path) -> None:
    text = '[variables]\nWHERE = "weights"\n[models.m]\nsource = "file:../${WHERE}"\n'
    make(text).lock()
    assert 'WHERE" = "weights"' in lock_text(make)
    other = make(WHERE="elsewhere")
    with pytest.raises(StaleLock, match="variable WHERE is 'elsewhere'"):
        other.sync(locked=True)


def test_one_named_model_is_synced_without_the_others(make: MakeKeep, weights: Path) -> None:
    with Hub({"org/repo": Repo({"w.bin": b"w" * 5000}, lfs=frozenset({"w.bin"}))}) as hub:
        text = FOLDER + '[models.h]\nsource = "hf:org/repo"\n'
        make(text, HF_ENDPOINT=hub.url).lock()
        keep = make(HF_ENDPOINT=hub.url)
        assert keep.sync(["m"]).models == ("m",)
        assert keep.path("m").is_dir()
        with pytest.raises(MissingFile) as caught:
            keep.path("h")
        assert (caught.value.model, caught.value.path) == ("h", "w.bin")
        assert [row.state for row in keep.list()] == ["present", "incomplete"]
        keep.sync(["h"])
        assert (keep.path("h") / "w.bin").read_bytes() == b"w" * 5000
        with pytest.raises(UnknownModel):
            keep.sync(["nobody"])


def test_a_hub_model_is_pinned_to_its_commit(make: MakeKeep) -> None:
    repo = Repo(
        {"model.safetensors": b"s" * 3000, "config.json": b"{}"},
        lfs=frozenset({"model.safetensors"}),
    )
    with Hub({"org/repo": repo}) as hub:
        keep = make('[models.h]\nsource = "hf:org/repo"\n', HF_ENDPOINT=hub.url)
        keep.sync()
        assert keep.model("h").origins[0].revision == "a" * 40
        snapshot = keep.path("h")
        assert snapshot.parts[-2:] == ("snapshots", "a" * 40)
        variables = keep.env()
        assert variables["HF_HUB_OFFLINE"] == "1"
        assert snapshot.is_relative_to(variables["HF_HUB_CACHE"])
        assert variables["MODELKEEP_PATH_H"] == str(snapshot)
        asked = len(hub.requests)
        make(HF_ENDPOINT=hub.url).sync()
        assert len(hub.requests) == asked


def test_only_the_wanted_members_of_a_package_are_kept(make: MakeKeep) -> None:
    wheel = make_wheel({"pkg/data/m.onnx": b"onnx", "pkg/code.py": b"raise", "pkg/data/x": b"x"})
    with Index({"pkg": {"pkg-1.0-py3-none-any.whl": wheel}}) as index:
        text = '[models.p]\nsource = "pypi:pkg==1.0/pkg/data"\nfiles = ["*.onnx"]\n'
        index_only = {"PIP_NO_INDEX": "", "PIP_INDEX_URL": index.index_url}
        keep = make(text, **index_only)
        keep.sync()
        assert [p.name for p in keep.path("p").iterdir()] == ["m.onnx"]
        archive = keep.model("p").origins[0].archive
        assert archive is not None
        assert archive.digest == Digest.of(wheel)
        assert keep.info().blobs == 1
        fresh = make(**index_only, MODELKEEP_HOME=str(keep.tree.home) + "2")
        assert fresh.sync(locked=True).fetched == 1


def test_a_package_of_a_local_folder_and_of_an_sdist_can_be_locked(
    make: MakeKeep, tmp_path: Path
) -> None:
    links = tmp_path / "links"
    links.mkdir()
    (links / "pkg-2.0.tar.gz").write_bytes(make_sdist("pkg-2.0", {"pkg/m.bin": b"m"}))
    keep = make(
        '[models.p]\nsource = "pypi:pkg/pkg"\nfiles = ["m.bin"]\n', PIP_FIND_LINKS=str(links)
    )
    keep.sync()
    assert keep.model("p").origins[0].revision == "2.0"
    assert (keep.path("p") / "m.bin").read_bytes() == b"m"


def test_a_url_is_trusted_when_it_is_locked_and_never_after(make: MakeKeep) -> None:
    with Server({"/m.bin": b"first"}) as server:
        keep = make(f'[models.u]\nsource = "{server.url_for("/m.bin")}"\n'.replace("https", "http"))
        keep.lock()
        server.files["/m.bin"] = b"other"
        fresh = make(MODELKEEP_HOME=str(keep.tree.home) + "2")
        with pytest.raises(DigestMismatch) as caught:
            fresh.sync(locked=True)
        assert str(Digest.of(b"first")) in str(caught.value)
        assert str(Digest.of(b"other")) in str(caught.value)


def test_a_digest_in_models_toml_decides(make: MakeKeep, weights: Path) -> None:
    with Server({"/m.bin": b"first"}) as server:
        text = f'[models.u]\nsource = "{server.url_for("/m.bin")}"\ndigest = "{{}}"\n'
        make(text.format(Digest.of(b"first"))).lock()
        with pytest.raises(DigestMismatch):
            make(text.format(Digest.of(b"wish"))).lock()
    make(FOLDER).lock()
    identity = make().model("m").identity
    make(FOLDER + f'digest = "{identity}"\n').lock()


def test_pickles_and_code_need_permission_whatever_they_are_called(
    make: MakeKeep, weights: Path
) -> None:
    (weights / "innocent.txt").write_bytes(pickle.dumps({"a": Path}))
    (weights / "sub" / "a.bin").write_bytes(pickle.dumps({"a": Path}))
    with pytest.raises(ForbiddenFormat, match=r"pickle in innocent\.txt, sub/a\.bin"):
        make(FOLDER).lock()
    (weights / "sub" / "a.bin").unlink()
    make(FOLDER + "allow_pickle = true\n").lock()
    assert "allow_pickle = true" in lock_text(make)
    (weights / "innocent.txt").unlink()
    (weights / "modeling.py").write_text("print()")
    with pytest.raises(ForbiddenFormat, match=r"modeling\.py"):
        make(FOLDER).lock()
    make(FOLDER + "allow_code = true\n").lock()


def test_a_pickle_on_the_hub_is_refused_without_fetching_it_whole(make: MakeKeep) -> None:
    data = pickle.dumps({"a": Path}) + bytes(5_000_000)
    with Hub({"org/repo": Repo({"w.bin": data}, lfs=frozenset({"w.bin"}))}) as hub:
        keep = make('[models.h]\nsource = "hf:org/repo"\n', HF_ENDPOINT=hub.url)
        with pytest.raises(ForbiddenFormat):
            keep.lock()
        assert not keep.project.lock_path.exists()


def test_sources_that_do_not_answer_are_left_out_of_the_lock(
    make: MakeKeep, weights: Path, events: list[Event]
) -> None:
    text = '[models.m]\nsource = ["file:../nothing", "file:../weights"]\n'
    make(text).lock()
    assert [origin.source for origin in make().model("m").origins] == ["file:../weights"]
    assert any(isinstance(event, Warned) for event in events)
    (weights.parent / "nothing").mkdir()
    (weights.parent / "nothing" / "model.bin").write_bytes(b"only one")
    text = '[models.m]\nsource = ["file:../weights", "file:../nothing"]\n'
    make(text).lock()
    assert len(make().model("m").origins) == 1
    with pytest.raises(NotFound):
        make('[models.m]\nsource = ["file:../a", "file:../b"]\n').lock()


def test_offline_settings_are_obeyed(make: MakeKeep) -> None:
    keep = make('[models.h]\nsource = "hf:org/repo"\n', MODELKEEP_OFFLINE="1")
    with pytest.raises(Offline):
        keep.lock()


def test_a_hub_that_is_gone_is_unreachable_and_the_old_lock_stays(
    make: MakeKeep, weights: Path
) -> None:
    make(FOLDER).lock()
    before = lock_text(make)
    keep = make(FOLDER + '[models.h]\nsource = "hf:org/repo"\n', HF_ENDPOINT="http://127.0.0.1:9")
    with pytest.raises(Unreachable):
        keep.lock()
    assert lock_text(make) == before


def test_a_store_limit_is_told_before_the_download(make: MakeKeep, weights: Path) -> None:
    keep = make(FOLDER + '[settings.store]\nmax_size = "1kB"\n')
    with pytest.raises(NoRoom, match=r"store\.max_size"):
        keep.sync()


def test_what_is_not_a_project_or_not_a_model_is_told(make: MakeKeep, weights: Path) -> None:
    with pytest.raises(InvalidDocument, match="no such file"):
        make().sync()
    keep = make('[models.mock]\nloader = "mock"\n' + FOLDER)
    keep.sync()
    with pytest.raises(UnknownModel):
        keep.path("nobody")
    with pytest.raises(InvalidValue):
        keep.path("mock")
    with pytest.raises(InvalidValue, match="loader"):
        keep.load("m")
    keep.project.lock_path.write_text("version = 99\n")
    with pytest.raises(InvalidDocument, match="version 1"):
        make().path("m")
