# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.runtime.restart import RestartPolicy


@pytest.mark.parametrize(
    ("restarts", "now", "wait_s"),
    [
        ([], 0.0, 1.0),
        ([0.0], 10.0, 2.0),
        ([0.0, 10.0], 20.0, 4.0),
        ([0.0, 10.0, 20.0], 30.0, None),
        ([0.0, 10.0, 20.0], 299.9, None),
        ([0.0, 10.0, 20.0], 300.0, 4.0),
        ([0.0, 10.0, 20.0], 1000.0, 1.0),
    ],
)
def test_three_restarts_in_five_minutes_each_after_a_longer_wait(
    restarts: list[float], now: float, wait_s: float | None
) -> None:
    assert RestartPolicy().wait_s(restarts, now) == wait_s


@given(st.lists(st.floats(0.1, 100), max_size=60))
def test_a_model_that_always_crashes_never_restarts_more_often_than_allowed(
    lives_s: list[float],
) -> None:
    policy, now, restarts = RestartPolicy(), 0.0, []
    for life_s in lives_s:
        now += life_s
        wait_s = policy.wait_s(restarts, now)
        if wait_s is None:
            break
        restarts.append(now)
        now += wait_s
    for first, fourth in zip(restarts, restarts[3:], strict=False):
        assert fourth - first >= policy.window_s


def test_no_waits_means_no_restarts() -> None:
    assert RestartPolicy(waits_s=()).wait_s([], 0.0) is None
