# SPDX-License-Identifier: Apache-2.0
"""modelkeep: the package manager and runtime for model weights.

``from modelkeep import Keep`` is the Python API; importing this package alone
imports nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelkeep.keep.api import Keep as Keep

__version__ = "0.1.0"
__all__ = ["Keep", "__version__"]


def __getattr__(name: str) -> object:
    if name == "Keep":
        from modelkeep.keep.api import Keep

        return Keep
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
