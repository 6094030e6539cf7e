# SPDX-License-Identifier: Apache-2.0
"""What a sync with nothing to do may touch: no network, no heavy module."""

from __future__ import annotations

import json
import subprocess
import sys

from cli.conftest import Shell

PROBE = """
import json, sys
asked = []
def hook(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        asked.append(event)
sys.addaudithook(hook)
sys.argv = ["modelkeep", *sys.argv[1:]]
from modelkeep.__main__ import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print(json.dumps({"asked": asked, "modules": sorted(sys.modules)}), file=sys.stderr)
"""
HEAVY = {"http", "urllib3", "requests", "httpx", "ssl", "pip", "numpy", "torch", "onnxruntime"}
HEAVY |= {"transformers", "starlette", "uvicorn", "tomlkit", "stamina", "rich", "asyncio"}


def test_a_sync_with_nothing_to_do_connects_to_nobody_and_imports_little(shell: Shell) -> None:
    weights = shell.folder.parent / "weights"
    for number in range(250):
        (weights / f"{number}.bin").write_bytes(number.to_bytes(4))
    names = ("a", "b", "c", "d")
    shell.wishes("".join(f'[models.{n}]\nsource = "file:../weights"\n' for n in names))
    shell("sync")
    done = subprocess.run(
        [sys.executable, "-c", PROBE, "sync"],
        cwd=shell.folder,
        env=shell.variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("nothing to do: 4 models, 1,008 files")
    found = json.loads(done.stderr.splitlines()[-1])
    assert found["asked"] == []
    tops = {name.partition(".")[0] for name in found["modules"]}
    assert tops & HEAVY == set()
