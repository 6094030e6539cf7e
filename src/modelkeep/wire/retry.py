# SPDX-License-Identifier: Apache-2.0
"""One policy for trying again: when, how often, how long to wait."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator

import stamina

from modelkeep.spec.emit import Emit
from modelkeep.spec.events import Retrying
from modelkeep.spec.settings import Network
from modelkeep.wire.answers import MAX_WAIT_S, Transient

# stamina logs each retry as a warning; with no logging set up that would reach
# the terminal, where Retrying events are told already.
logging.getLogger("stamina").addHandler(logging.NullHandler())


def backoff_s(retry: int, delay_s: float, chance: float) -> float:
    """Seconds to wait before a retry.

    Args:
        retry: 1 for the first.
        delay_s: before the first; doubled with each.
        chance: 0 to 1; adds up to half of the wait, so that many clients spread.
    """
    base = delay_s * 2.0 ** min(retry - 1, 64)
    return min(base * (1 + chance / 2), MAX_WAIT_S)


def retrying(network: Network, subject: str, emit: Emit) -> Iterator[stamina.Attempt]:
    """The attempts of one policy, each to be entered.

    Use: ``for attempt in retrying(…): with attempt: …``.

    Only Transient errors lead to another attempt; after ``network.retries`` of
    them the last error is let through. A server's own wait goes before ours.
    Who has made progress between two tries may begin a new policy.
    """
    tries = 0

    def judge(error: Exception) -> bool | float:
        nonlocal tries
        tries += 1
        if not isinstance(error, Transient):
            return False
        ours = backoff_s(tries, network.retry_delay_s, random.random())
        wait_s = error.wait_s or ours
        if tries <= network.retries:
            emit(Retrying(subject, error.got, tries, wait_s))
        return wait_s

    yield from stamina.retry_context(on=judge, attempts=network.retries + 1, timeout=None)
