# SPDX-License-Identifier: Apache-2.0
"""Whether a model whose process ended is started again, and when. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """One restart per wait, counted within a window that moves.

    Attributes:
        waits_s: before the first restart in the window, the second, ….
        window_s: restarts longer ago than this are forgotten.
    """

    waits_s: tuple[float, ...] = (1.0, 2.0, 4.0)
    window_s: float = 300.0

    def wait_s(self, restarts: Sequence[float], now: float) -> float | None:
        """Seconds to wait before the next restart; None when there have been enough.

        Args:
            restarts: when earlier restarts were, on the clock of ``now``.
            now: seconds on a monotonic clock.
        """
        recent = sum(1 for moment in restarts if now - moment < self.window_s)
        return self.waits_s[recent] if recent < len(self.waits_s) else None
