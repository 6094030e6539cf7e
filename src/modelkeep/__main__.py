# SPDX-License-Identifier: Apache-2.0
"""The door of ``modelkeep`` and ``python -m modelkeep``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    if sys.platform == "win32":
        sys.exit("modelkeep runs on Linux and macOS; on Windows use it inside WSL 2.")
    if sys.argv[1:] == ["--version"]:
        # Asked by every script and image build; no need to import a command line for it.
        from modelkeep import __version__

        print(f"modelkeep {__version__}")
        return
    from modelkeep.cli.app import run

    sys.exit(run())


if __name__ == "__main__":
    main()
