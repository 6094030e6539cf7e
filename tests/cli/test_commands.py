# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pickle
import shlex
from pathlib import Path

import pytest

import modelkeep
from cli.conftest import Shell
from modelkeep.cli import show
from modelkeep.cli.hints import hint
from modelkeep.spec import errors

FOLDER = '[models.m]\nsource = "file:../weights"\n'


def test_a_project_from_nothing_to_verified_files(shell: Shell) -> None:
    assert "wrote models.toml" in shell("init").out
    added = shell("add", "file:../weights", "--name", "m", "--files", "*.bin")
    assert "added m" in added.out
    text = (shell.folder / "models.toml").read_text()
    assert text.startswith("# The models that this project needs")
    assert 'files = ["*.bin"]' in text
    assert "added: m" in shell("lock").out
    assert "1 model, 1 file, 2.0 kB" in shell("sync").out
    assert shell("sync").out.startswith("nothing to do: 1 model")
    assert "all as locked" in shell("verify").out
    assert "m      present" in shell("list").out
    assert "complete" in shell("info").out
    assert "ok    lock: models.lock says" in shell("doctor").out
    assert "removed m" in shell("remove", "m").out
    assert "models.lock says" not in shell("lock", "--check", code=1).out
    assert "removed: m" in shell("lock").out


def test_sync_alone_locks_what_is_not_locked_yet(shell: Shell) -> None:
    shell.wishes(FOLDER)
    ran = shell("sync")
    assert "fetched 2 files" in ran.err
    assert "2 files, 2.0 kB" in ran.out
    assert (shell.folder / "models.lock").exists()


def test_every_report_has_a_json_form(shell: Shell) -> None:
    shell.wishes(FOLDER)
    assert shell("lock", "--json").json["added"] == ["m"]
    assert shell("lock", "--check", "--json").json == {"fresh": True, "reasons": []}
    assert shell("sync", "--json").json["models"] == ["m"]
    row = shell("list", "--json").json[0]
    assert (row["name"], row["state"], row["files"]) == ("m", "present", 2)
    assert Path(row["path"]).is_dir()
    assert shell("info", "--json").json["models"][0]["complete"] is True
    assert shell("verify", "--json").json["faults"] == []
    assert shell("doctor", "--json").json["healthy"] is True
    assert shell("env", "--format", "json").json["MODELKEEP_PATH_M"] == row["path"]
    failed = shell("verify", "nobody", "--json", code=1).json
    assert failed["kind"] == "UnknownModel"
    assert failed["try"] == "modelkeep list"


def test_errors_end_in_a_hint_and_never_in_a_traceback(shell: Shell) -> None:
    assert shell("sync", code=1).err.endswith("try: modelkeep init\n")
    shell.wishes(FOLDER + "priority = 3\n")
    error = shell("list", code=1).err
    assert "models.toml:3: models.m.priority: expected one of critical" in error
    shell.wishes(FOLDER)
    assert "try: modelkeep lock" in shell("sync", "--locked", code=1).err
    assert "try: modelkeep lock" in shell("env", code=1).err
    shell("sync")
    assert "file exists" not in shell("init", code=1).err
    weights = shell.folder.parent / "weights"
    (weights / "w.pt").write_bytes(pickle.dumps({"a": Path}))
    assert "allow_pickle" in shell("lock", "--upgrade", code=1).err


def test_wrong_use_is_exit_code_2(shell: Shell) -> None:
    for wrong in (
        ("nonsense",),
        ("--set", "no.such=1", "list"),
        ("--set", "fetch.retries=many", "list"),
        ("lock", "name"),
        ("predict", "m", "--input", "no-equals"),
        ("predict", "m", "--file", "x=/no/such/file"),
        ("env", "--format", "xml"),
    ):
        shell(*wrong, code=2)


def test_settings_come_from_flags_before_the_command(shell: Shell) -> None:
    shell.wishes(FOLDER + "[settings.server]\nport = 9000\n")
    rows = shell("--set", "fetch.retries=9", "doctor", "--json", code=1).json["settings"]
    places = {row["key"]: (row["value"], row["came_from"]) for row in rows}
    assert places["fetch.retries"] == (9, "flag --fetch.retries")
    assert places["server.port"] == (9000, "file")
    elsewhere = shell.folder.parent / "elsewhere"
    shell("--store", str(elsewhere), "--quiet", "sync")
    assert (elsewhere / "v1" / "blobs").is_dir()
    assert not shell.home.exists()


def test_a_profile_is_chosen_before_or_after_the_command_or_by_a_variable(shell: Shell) -> None:
    shell.wishes(FOLDER + "[profiles.dev.models.m]\nenabled = false\n")
    for ran in (
        shell("--profile", "dev", "list"),
        shell("list", "--profile", "dev"),
        shell("list", MODELKEEP_PROFILE="dev"),
    ):
        assert "disabled" in ran.out
    assert "one of default, dev" in shell("list", "--profile", "prod", code=1).err


def test_the_project_is_found_from_a_folder_below_it_or_named(shell: Shell) -> None:
    shell.wishes(FOLDER)
    shell("sync")
    below = shell.folder / "a" / "b"
    below.mkdir(parents=True)
    top, shell.folder = shell.folder, below
    assert "present" in shell("list").out
    shell.folder = Path("/")
    assert "present" in shell("-C", str(top), "list").out


def test_variables_are_written_for_shells_and_env_files(shell: Shell) -> None:
    shell.wishes(FOLDER + 'layout = "huggingface:org/m"\n')
    shell("sync")
    lines = shell("env").out.splitlines()
    assert "export HF_HUB_OFFLINE=1" in lines
    values = dict(shlex.split(line)[1].split("=", 1) for line in lines)
    dotenv = dict(line.split("=", 1) for line in shell("env", "--format", "dotenv").out.split())
    assert values == dotenv
    assert Path(values["HF_HUB_CACHE"]).is_dir()


def test_a_damaged_file_fails_verify_and_repair_mends_it(shell: Shell) -> None:
    shell.wishes(FOLDER)
    shell("sync")
    blob = next(path for path in shell.home.glob("v1/blobs/*/*") if path.stat().st_size == 2000)
    blob.chmod(0o644)
    blob.write_bytes(b"x" * 2000)
    ran = shell("verify", code=1)
    assert "damaged: m: a.bin" in ran.err
    assert "repaired" in shell("verify", "--repair").out
    shell("verify")


def test_add_refuses_what_would_not_parse_and_leaves_the_file(shell: Shell) -> None:
    shell.wishes(FOLDER)
    before = (shell.folder / "models.toml").read_text()
    shell("add", "file:x", "--name", "m", code=1)
    shell("add", "file:x", "--priority", "high", code=1)
    shell("add", "not a source", code=1)
    shell("remove", "nobody", code=1)
    assert (shell.folder / "models.toml").read_text() == before
    assert "added all-minilm-l6-v2" in shell("add", "hf:org/all-MiniLM-L6-v2").out
    assert "added face" in shell("add", "https://host.example/a/face.onnx?x=1").out


def test_the_version_is_told_in_two_ways_and_help_names_every_command(shell: Shell) -> None:
    assert shell("--version").out == f"modelkeep {modelkeep.__version__}\n"
    assert shell("--quiet", "--version").out == f"modelkeep {modelkeep.__version__}\n"
    text = shell("--help").out
    project = {"init", "add", "remove", "lock", "sync", "list", "env"}
    for command in project | {"info", "verify", "doctor", "serve", "predict", "status"}:
        assert f"  {command} " in text


def test_debug_shows_the_traceback(shell: Shell) -> None:
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "modelkeep", "--debug", "sync"],
        cwd=shell.folder,
        env=shell.variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" in done.stderr
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (3_165_878, "3.2 MB"), (5e12, "5.0 TB")],
)
def test_sizes_are_told_by_powers_of_a_thousand(size: float, text: str) -> None:
    assert show.size(size) == text


def test_every_error_has_a_hint_but_for_those_that_say_all_themselves() -> None:
    missing = errors.MissingFile("m", "a.bin", "/store")
    assert hint(missing) == "modelkeep sync m"
    extra = errors.MissingExtra("the loader onnx", "onnxruntime", "onnx")
    assert hint(extra) == "pip install 'modelkeep[onnx]'"
    silent = {errors.KeepError, errors.InvalidValue, errors.LoadFailed, errors.PredictFailed}
    for kind in vars(errors).values():
        plain = isinstance(kind, type) and issubclass(kind, errors.KeepError)
        if not plain or kind in (errors.MissingFile, errors.MissingExtra, errors.InvalidDocument):
            continue
        said = hint(kind("s", "e", "g"))
        silent_kind = kind in silent or kind.__mro__[1] is errors.KeepError
        assert said or silent_kind or kind is errors.StoreError, kind
