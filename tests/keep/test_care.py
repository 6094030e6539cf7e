# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from keep.conftest import MakeKeep
from modelkeep.keep.api import Keep
from modelkeep.keep.doctor import diagnose
from modelkeep.spec.emit import Event
from modelkeep.spec.errors import InvalidDocument, MissingFile, StaleLock
from modelkeep.spec.events import FileVerified

FOLDER = '[models.m]\nsource = "file:../weights"\n'


@pytest.fixture
def keep(make: MakeKeep, weights: Path) -> Keep:
    made = make(FOLDER)
    made.sync()
    return made


def damage(keep: Keep, name: str) -> Path:
    """Change one byte of a file, its size staying the same."""
    row = next(row for row in keep.model("m").manifest.files if row.path == name)
    blob = keep.tree.blob(row.digest)
    blob.chmod(0o644)
    data = bytearray(blob.read_bytes())
    data[0] ^= 1
    blob.write_bytes(data)
    return blob


def test_verify_reads_every_byte_and_finds_nothing_wrong(keep: Keep, events: list[Event]) -> None:
    report = keep.verify()
    assert (report.files, report.faults) == (2, ())
    assert sum(isinstance(event, FileVerified) for event in events) == 2


def test_a_flipped_bit_is_found_and_repaired(keep: Keep) -> None:
    blob = damage(keep, "model.bin")
    fault = keep.verify().faults[0]
    assert (fault.state, fault.models, fault.path) == ("damaged", ("m",), "model.bin")
    assert keep.sync().fetched == 0
    assert keep.verify(["m"], repair=True).faults
    assert keep.verify().faults == ()
    assert blob.stat().st_mode & 0o777 == 0o444


def test_a_missing_and_a_truncated_blob_are_found_and_fetched_by_a_sync(keep: Keep) -> None:
    rows = {row.path: row for row in keep.model("m").manifest.files}
    keep.tree.blob(rows["model.bin"].digest).unlink()
    truncated = keep.tree.blob(rows["sub/config.json"].digest)
    truncated.chmod(0o644)
    truncated.write_bytes(b"{")
    with pytest.raises(MissingFile):
        keep.path("m")
    assert {fault.state for fault in keep.verify().faults} == {"missing", "damaged"}
    assert keep.sync().fetched == 2
    assert keep.verify().faults == ()


def test_a_store_without_a_project_is_verified_by_its_manifests(keep: Keep, make: MakeKeep) -> None:
    damage(keep, "model.bin")
    keep.project.lock_path.unlink()
    keep.project.wishes_path.unlink()
    report = make().verify()
    assert report.faults[0].models[0].startswith("m@")
    with pytest.raises(InvalidDocument):
        make().verify(repair=True)


def test_a_project_that_is_not_locked_is_not_verified(keep: Keep, make: MakeKeep) -> None:
    keep.project.lock_path.unlink()
    with pytest.raises(StaleLock):
        make().verify()


def test_info_tells_what_is_shared_and_what_is_loose(keep: Keep, make: MakeKeep) -> None:
    text = FOLDER + '[models.n]\nsource = "file:../weights"\nfiles = ["model.bin"]\n'
    make(text).sync()
    report = make().info()
    assert (len(report.models), report.blobs, report.saved_bytes) == (2, 2, 7000)
    assert all(model.shared_bytes == 7000 for model in report.models)
    assert {came.name for model in report.models for came in model.came} == {"m", "n"}
    for path in keep.tree.manifests.iterdir():
        path.unlink()
    assert make().info().loose_bytes == report.size_bytes


def test_a_damaged_manifest_is_told(keep: Keep, make: MakeKeep) -> None:
    path = keep.tree.manifest(keep.model("m").identity)
    path.chmod(0o644)
    path.write_bytes(b"{}")
    assert make().info().damaged_manifests == (str(keep.model("m").identity),)
    assert not diagnose(make(), {}).healthy
    found = make().verify()
    assert (found.faults, found.all_well) == ((), False)
    assert found.damaged_manifests == (str(keep.model("m").identity),)
    make().verify(repair=True)
    assert make().verify().all_well


def test_a_damaged_manifest_of_a_bare_store_is_a_fault(keep: Keep, make: MakeKeep) -> None:
    path = keep.tree.manifest(keep.model("m").identity)
    path.chmod(0o644)
    path.write_bytes(b"{}")
    keep.project.lock_path.unlink()
    keep.project.wishes_path.unlink()
    assert not make().verify().all_well


def levels(keep: Keep, environment: dict[str, str] | None = None) -> dict[str, str]:
    found = diagnose(keep, environment or {}).findings
    return {f"{finding.subject}: {finding.message}": finding.level for finding in found}


def test_a_healthy_project_is_told_so_with_every_setting_and_its_place(keep: Keep) -> None:
    found = diagnose(keep, {})
    assert found.healthy
    places = {setting.key: setting.came_from for setting in found.settings}
    assert places["store.path"] == "environment MODELKEEP_HOME"
    assert places["fetch.retries"] == "environment MODEL_DOWNLOAD_MAX_RETRIES"
    assert places["server.port"] == "default"


def test_what_would_break_serving_is_bad(keep: Keep, make: MakeKeep) -> None:
    for row in keep.model("m").manifest.files:
        keep.tree.blob(row.digest).unlink()
    assert "bad" in levels(make()).values()
    keep.project.lock_path.unlink()
    assert levels(make())["lock: there is no models.lock"] == "bad"


def test_a_loader_that_is_not_installed_is_bad(make: MakeKeep, weights: Path) -> None:
    keep = make(FOLDER + 'loader = "sentence-transformers"\n')
    messages = levels(keep)
    expected = "packages: model m needs sentence_transformers"
    import importlib.util

    there = importlib.util.find_spec("sentence_transformers") is not None
    assert there or messages[expected] == "bad"


def test_permissions_and_variables_that_lead_elsewhere_are_noted(
    make: MakeKeep, weights: Path
) -> None:
    text = FOLDER + 'layout = "huggingface:org/m"\nallow_pickle = true\n'
    keep = make(text)
    keep.sync()
    found = levels(keep, {"HF_HUB_CACHE": "/elsewhere"})
    assert found["models: m may run its author's code (allow_pickle)"] == "note"
    assert any(text.startswith("environment: HF_HUB_CACHE leads to /elsewhere") for text in found)


def test_no_project_and_no_store_are_no_fault(make: MakeKeep) -> None:
    found = diagnose(make(), {})
    assert found.healthy
    assert {finding.subject for finding in found.findings} >= {"store", "project"}
