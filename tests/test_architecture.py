# SPDX-License-Identifier: Apache-2.0
"""Imports run down only, and the house rules that a parser can see."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SRC = Path(__file__).parent.parent / "src"
ROOT = SRC / "modelkeep"

FLOORS = {
    "spec": 1,
    "plugins": 2,
    "wire": 2,
    "guard": 2,
    "store": 3,
    "registry": 3,
    "sources": 3,
    "layouts": 3,
    "loaders": 3,
    "resolve": 4,
    "fetch": 4,
    "present": 4,
    "preflight": 4,
    "runtime": 4,
    "keep": 5,
    "deploy": 5,
    "server": 6,
    "monitor": 6,
    "cli": 7,
}
# The package itself and ``python -m modelkeep``: one leads to the API, one to the command line.
DOORS = ("__init__", "__main__")
# What the package itself offers to everybody: values, no room.
OFFERED = ("__version__",)

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 45
ENVIRONMENT_FLOOR = 5

MODULE = re.compile(r"modelkeep\.(\w+)(?:\.\w+)*$")
FILES = sorted(ROOT.rglob("*.py"))


def ids(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def room_of(path: Path, root: Path = ROOT) -> str:
    return path.relative_to(root).parts[0].removesuffix(".py")


@dataclass(frozen=True)
class Import:
    """One import of something of this package, wherever in the file it stands."""

    line: int
    room: str


def imports_of(path: Path, root: Path = ROOT) -> Iterator[Import]:
    """Every import of the package: at the top, inside functions, for types only, relative."""
    package = ["modelkeep", *path.relative_to(root).parent.parts]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        for name in _named(node, package):
            top, _, rest = name.partition(".")
            if top == "modelkeep" and rest not in OFFERED:
                yield Import(getattr(node, "lineno", 0), rest.partition(".")[0])


def _named(node: ast.AST, package: list[str]) -> list[str]:
    """Dotted names that a piece of code imports."""
    match node:
        case ast.Import():
            return [alias.name for alias in node.names if alias.name != "modelkeep"]
        case ast.ImportFrom():
            base = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            return [f"{start}.{alias.name}" for alias in node.names]
        case ast.Attribute(value=ast.Name(id=name)):
            # ``import modelkeep`` is no room yet; what is taken out of it is.
            return [f"{name}.{node.attr}"]
        case ast.Constant(value=str(text)) if found := MODULE.match(text):
            # Tables of modules, for import_module() and ``python -m``; not names of loggers.
            return [text] if found[1] in FLOORS else []
    return []


def faults_of(path: Path, root: Path = ROOT) -> list[str]:
    room = room_of(path, root)
    if room in DOORS:
        return []
    faults = []
    for found in imports_of(path, root):
        place = f"{path.relative_to(root.parent)}:{found.line}"
        if found.room == room:
            continue
        if found.room not in FLOORS or room not in FLOORS:
            faults.append(f"{place}: {room} imports {found.room}, which has no floor")
        elif FLOORS[found.room] >= FLOORS[room]:
            way = "up" if FLOORS[found.room] > FLOORS[room] else "sideways"
            faults.append(
                f"{place}: {room} (floor {FLOORS[room]}) imports {way} "
                f"to {found.room} (floor {FLOORS[found.room]})"
            )
    return faults


def test_imports_run_down_only() -> None:
    faults = [fault for path in FILES for fault in faults_of(path)]
    assert not faults, "\n" + "\n".join(faults)


def test_every_room_has_its_floor() -> None:
    assert {room_of(path) for path in FILES} <= {*FLOORS, *DOORS}


@pytest.mark.parametrize(
    ("place", "text", "fault"),
    [
        ("spec/a.py", "import modelkeep.store.tree", "up to store"),
        ("store/a.py", "from modelkeep.present import View", "up to present"),
        ("store/a.py", "from modelkeep import layouts", "sideways to layouts"),
        ("store/a.py", "from ..layouts import base", "sideways to layouts"),
        ("store/a.py", "from .. import keep", "up to keep"),
        ("preflight.py", "from .present import View", "sideways to present"),
        ("wire/a.py", "def f():\n    from modelkeep.keep.api import Keep", "a.py:2: wire"),
        ("wire/a.py", "if TYPE_CHECKING:\n    import modelkeep.cli", "up to cli"),
        ("wire/a.py", "import_module('modelkeep.cli')", "up to cli"),
        ("wire/a.py", "importlib.import_module('modelkeep.cli')", "up to cli"),
        ("wire/a.py", "TABLE = {'a': ('modelkeep.cli.a', 'A')}", "up to cli"),
        ("wire/a.py", "from modelkeep import Keep", "Keep, which has no floor"),
        ("wire/a.py", "import modelkeep\nmodelkeep.Keep", "a.py:2: wire imports Keep"),
        ("attic/a.py", "from modelkeep.spec import digest", "no floor"),
    ],
)
def test_the_walk_sees_every_way_to_import(
    tmp_path: Path, place: str, text: str, fault: str
) -> None:
    path = tmp_path / "modelkeep" / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    (found,) = faults_of(path, tmp_path / "modelkeep")
    assert fault in found


@pytest.mark.parametrize(
    "text",
    [
        "from modelkeep.spec.digest import Digest",
        "from modelkeep.store.tree import Tree",
        "from . import publish",
        "from .tree import Tree",
        "from modelkeep import __version__",
        "import modelkeep\nmodelkeep.__version__",
        "import os, json",
    ],
)
def test_imports_of_ones_own_room_and_below_are_fine(tmp_path: Path, text: str) -> None:
    path = tmp_path / "modelkeep" / "store" / "a.py"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert faults_of(path, tmp_path / "modelkeep") == []


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_a_file_is_short_enough_to_read(path: Path) -> None:
    lines = len(path.read_text("utf-8").splitlines())
    assert lines <= MAX_FILE_LINES, f"{path}: {lines} lines; split it by meaning"


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_a_function_is_short_enough_to_read(path: Path) -> None:
    long = [
        f"{path}:{node.lineno}: {node.name} has {length} lines; split it by meaning"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > MAX_FUNCTION_LINES
    ]
    assert not long, "\n" + "\n".join(long)


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_a_file_opens_with_its_licence_and_its_caption(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.startswith("# SPDX-License-Identifier: Apache-2.0\n")
    assert ast.get_docstring(ast.parse(text)), f"{path}: no caption"


@pytest.mark.parametrize(
    "path", [p for p in FILES if FLOORS.get(room_of(p), 9) < ENVIRONMENT_FLOOR], ids=ids
)
def test_no_room_below_keep_reads_the_environment(path: Path) -> None:
    names = {"environ", "environb", "getenv", "getenvb"}
    reads = [
        f"{path}:{node.lineno}"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if (isinstance(node, ast.Attribute) and node.attr in names)
        or (isinstance(node, ast.ImportFrom) and names & {alias.name for alias in node.names})
    ]
    assert not reads, "\n".join(reads)
