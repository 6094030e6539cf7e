# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
from typing import Any

import pytest

from modelkeep.runtime.phases import Phase, Priority, SlotStatus, State, judge

E, F, L, R, D, X = (
    State.EMPTY,
    State.FETCHING,
    State.LOADING,
    State.READY,
    State.DRAINING,
    State.FAILED,
)
C, P, Z = Priority.CRITICAL, Priority.PRELOAD, Priority.LAZY


def slots(*rows: tuple[Any, ...]) -> list[SlotStatus]:
    """Rows of priority, state and perhaps the number of the fallback."""
    return [
        SlotStatus(str(number), state, priority, fallback=str(more[0]) if more else None)
        for number, (priority, state, *more) in enumerate(rows)
    ]


@pytest.mark.parametrize(
    ("rows", "phase", "ready"),
    [
        ([], Phase.INIT, False),
        ([(C, E), (P, E)], Phase.INIT, False),
        ([(C, L), (P, E)], Phase.INIT, False),
        ([(C, R), (P, E)], Phase.CORE_READY, True),
        ([(C, R), (P, F)], Phase.MODELS_LOADING, True),
        ([(C, R), (P, L)], Phase.MODELS_LOADING, True),
        ([(C, R), (P, R), (Z, E)], Phase.MODELS_READY, True),
        ([(C, R), (P, R), (Z, L)], Phase.MODELS_READY, True),
        ([(C, R), (P, R), (Z, R)], Phase.FULLY_READY, True),
        ([(C, D), (P, R)], Phase.INIT, False),
        ([(P, L), (Z, E)], Phase.INIT, False),
        ([(P, R), (Z, E)], Phase.MODELS_READY, True),
        ([(Z, E)], Phase.MODELS_READY, True),
        ([(Z, R)], Phase.FULLY_READY, True),
        ([(C, X), (P, R)], Phase.DEGRADED, False),
        ([(C, R), (P, X)], Phase.DEGRADED, True),
        ([(C, R), (Z, X)], Phase.DEGRADED, True),
        ([(C, X, 1), (Z, R)], Phase.DEGRADED, True),
        ([(C, X, 1), (Z, L)], Phase.DEGRADED, False),
        ([(C, X, 1), (P, X, 2), (Z, R)], Phase.DEGRADED, True),
        ([(C, X, 1), (P, X, 0)], Phase.DEGRADED, False),
        ([(C, X, 9)], Phase.DEGRADED, False),
        ([(C, L, 1), (Z, R)], Phase.INIT, False),
    ],
)
def test_states_make_a_phase(rows: list[tuple[Any, ...]], phase: Phase, ready: bool) -> None:
    seen = judge(slots(*rows))
    assert (seen.phase, seen.ready) == (phase, ready)


def test_what_is_missing_is_said_in_sentences() -> None:
    loading = SlotStatus("pat", L, C, reason="its loader is at work")
    assert judge([loading]).missing == ("pat is loading: its loader is at work",)
    assert judge([SlotStatus("pat", E, C)]).missing == ("pat is empty: it has not begun to load",)
    assert judge([]).missing == ("no model is served",)


def test_ready_always_means_that_nothing_required_is_missing() -> None:
    for states in itertools.product(State, repeat=3):
        seen = judge(slots((C, states[0]), (P, states[1]), (Z, states[2])))
        assert seen.ready is (states[0] is R)
        assert seen.ready is not bool(seen.missing)
        if seen.phase in (Phase.FULLY_READY, Phase.MODELS_READY, Phase.CORE_READY):
            assert seen.ready
