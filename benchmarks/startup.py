# SPDX-License-Identifier: Apache-2.0
"""How long do start-up and a sync with nothing to do take, whole processes?

Beside plain Python, and beside huggingface_hub looking up the same files in the
same view, offline. Interleaved runs, medians; writes results/startup.md.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from modelkeep import Keep

RUNS = 11
MODELS = 4
FILES = 1000
RESULTS = Path(__file__).parent / "results" / "startup.md"
LOOK_UP = """
from huggingface_hub import snapshot_download
for number in range({models}):
    snapshot_download(f"bench/m{{number}}", local_files_only=True)
"""


def make_project(folder: Path) -> dict[str, str]:
    """Four models of 250 small files each, synced; gives the environment to run in."""
    text = ""
    for number in range(MODELS):
        source = folder / f"m{number}"
        source.mkdir()
        for file in range(FILES // MODELS):
            (source / f"file-{file:04}.bin").write_bytes(f"{number} {file}".encode())
        text += f'[models.m{number}]\nsource = "file:m{number}"\n'
        text += f'layout = "huggingface:bench/m{number}"\n'
    (folder / "models.toml").write_text(text)
    environment = {**os.environ, "MODELKEEP_HOME": str(folder / "store")}
    # An installed package has its bytecode; where it may not be written beside the
    # source, every start would compile all of it again.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    keep = Keep.open(folder, environment=environment)
    keep.sync()
    return {**environment, **keep.env()}


def wall_s(command: list[str], folder: Path, environment: dict[str, str]) -> float:
    """One whole process, in seconds."""
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def measure(folder: Path) -> dict[str, list[float]]:
    """Every command in turn, RUNS times, after one round that does not count."""
    environment = make_project(folder)
    modelkeep = [str(Path(sys.executable).with_name("modelkeep"))]
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "modelkeep --version": [*modelkeep, "--version"],
        "modelkeep sync (nothing to do)": [*modelkeep, "sync"],
        "modelkeep sync --locked (nothing to do)": [*modelkeep, "sync", "--locked"],
        "huggingface_hub look-up, offline": [
            sys.executable,
            "-c",
            LOOK_UP.format(models=MODELS),
        ],
    }
    found: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(RUNS + 1):
        for name, command in commands.items():
            took = wall_s(command, folder, environment)
            if turn:
                found[name].append(took)
    return found


def report(found: dict[str, list[float]]) -> str:
    """The table, and the two bars."""
    plain = statistics.median(found["python -c pass"])
    lines = [
        "# Start-up and a sync with nothing to do",
        "",
        f"`make bench`: whole processes, {RUNS} interleaved runs each, {MODELS} models with "
        f"{FILES:,} files; Python {platform.python_version()}, {os.cpu_count()} cores.",
        "",
        "| command | median ms | min | max | × `python -c pass` |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, took in found.items():
        median = statistics.median(took)
        lines.append(
            f"| `{name}` | {1000 * median:.0f} | {1000 * min(took):.0f} | "
            f"{1000 * max(took):.0f} | {median / plain:.1f} |"
        )
    version = statistics.median(found["modelkeep --version"])
    sync = statistics.median(found["modelkeep sync (nothing to do)"])
    limit = 2.5 * plain + 0.1
    lines += [
        "",
        f"- `--version`: {1000 * version:.0f} ms; the bar is 2.5 × plain Python + 100 ms = "
        f"{1000 * limit:.0f} ms: {'met' if version <= limit else 'NOT met'}.",
        f"- `sync` with nothing to do: {1000 * sync:.0f} ms; the bar is 400 ms: "
        f"{'met' if sync < 0.4 else 'NOT met'}.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, write."""
    with tempfile.TemporaryDirectory() as folder:
        text = report(measure(Path(folder)))
    print(text)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(text)


if __name__ == "__main__":
    main()
