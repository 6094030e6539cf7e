# SPDX-License-Identifier: Apache-2.0
"""What other processes do in these tests: ``python -m store.children ACT STORE …``.

Each says on standard output how far it is, a word a line.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

from modelkeep.spec.digest import Digest
from modelkeep.store.blobs import has_blob
from modelkeep.store.flight import flight
from modelkeep.store.partials import Partial
from modelkeep.store.tree import Tree

DATA = hashlib.sha256(b"seed").digest() * 40_000
DIGEST = Digest.of(DATA)
HALF = len(DATA) // 2


def start(act: str, tree: Tree, *words: str) -> subprocess.Popen[str]:
    """Run one of the acts below in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "store.children", act, str(tree.home), *words]
    return subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def heard(child: subprocess.Popen[str]) -> str:
    """The next word that a child says; "" once it has ended."""
    assert child.stdout
    return child.stdout.readline().strip()


def _say(word: str) -> None:
    print(word, flush=True)


def write_half(tree: Tree) -> None:
    """Write half of DATA, record it, write some more and hang."""
    partial = Partial.begin(tree, DIGEST)
    partial.write(DATA[:HALF])
    partial._checkpoint()
    partial.write(DATA[HALF : HALF + 1000])
    _say("half")
    sys.stdin.read()


def finish(tree: Tree) -> None:
    """Go on where another stopped, to the end."""
    with Partial.begin(tree, DIGEST) as partial:
        _say(str(partial.done_bytes))
        partial.write(DATA[partial.done_bytes :])
        partial.commit()
    _say("done")


def fly(tree: Tree, *, hang: bool = False) -> None:
    """Want DATA; say whether it had to be fetched."""
    with flight(tree, DIGEST, landed=lambda: has_blob(tree, DIGEST, len(DATA))) as ours:
        if not ours:
            return _say("came")
        _say("mine")
        if hang:
            sys.stdin.read()
        with Partial.begin(tree, DIGEST) as partial:
            for start_byte in range(partial.done_bytes, len(DATA), HALF // 4):
                partial.write(DATA[start_byte : start_byte + HALF // 4])
                time.sleep(0.01)
            partial.commit()


def race(tree: Tree) -> None:
    """Publish DATA with no lock at all, again and again."""
    _say("ready")
    sys.stdin.readline()
    for _ in range(3):
        with Partial.begin(tree, DIGEST) as partial:
            partial.write(DATA[partial.done_bytes :])
            partial.commit()
    _say("done")


if __name__ == "__main__":
    place = Tree(Path(sys.argv[2]))
    match sys.argv[1]:
        case "hold":
            fly(place, hang=True)
        case act:
            globals()[act](place)
