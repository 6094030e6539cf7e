# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.spec.errors import Unreachable
from modelkeep.spec.events import Retrying
from modelkeep.spec.settings import Network
from modelkeep.wire.answers import MAX_WAIT_S, Transient
from modelkeep.wire.retry import backoff_s, retrying

QUICK = Network(retries=3, retry_delay_s=0.001)


def run(errors, network=QUICK):
    """Raise each error in turn, then return; gives (tries, events)."""
    events, tries, left = [], 0, list(errors)
    for attempt in retrying(network, "it", events.append):
        with attempt:
            tries += 1
            if left:
                raise left.pop(0)
    return tries, events


def transient(wait_s=None):
    return Transient("it", "an answer", "status 503", wait_s=wait_s)


def test_what_goes_well_is_not_repeated():
    assert run([]) == (1, [])


def test_a_transient_error_is_tried_again_and_told():
    tries, events = run([transient(), transient()])
    assert tries == 3
    assert [(event.subject, event.reason, event.attempt) for event in events] == [
        ("it", "status 503", 1),
        ("it", "status 503", 2),
    ]
    assert all(isinstance(event, Retrying) for event in events)


def test_after_the_last_retry_the_error_itself_comes_through():
    last = transient()
    with pytest.raises(Transient) as caught:
        run([transient(), transient(), transient(), last])
    assert caught.value is last


def test_no_retries_means_one_try():
    with pytest.raises(Transient):
        run([transient()], Network(retries=0, retry_delay_s=0.001))


@pytest.mark.parametrize("error", [Unreachable("it", "a", "b"), OSError(), KeyError("x")])
def test_what_cannot_succeed_is_not_repeated(error):
    with pytest.raises(type(error)):
        run([error])


def test_a_server_that_names_its_wait_is_heard():
    _, events = run([transient(wait_s=0.004)])
    assert [event.wait_s for event in events] == [0.004]


def test_a_server_that_asks_for_no_wait_still_gets_ours():
    _, events = run([transient(wait_s=0.0)])
    assert events[0].wait_s > 0


@given(st.integers(1, 5000), st.floats(0, 1000), st.floats(0, 1))
def test_waits_double_with_jitter_and_a_cap(retry, delay_s, chance):
    wait_s = backoff_s(retry, delay_s, chance)
    assert 0 <= wait_s <= MAX_WAIT_S
    assert wait_s >= min(delay_s, MAX_WAIT_S)
    assert backoff_s(retry + 1, delay_s, chance) >= wait_s


def test_the_first_waits_are_the_delay_then_twice_then_four_times_it():
    assert [backoff_s(n, 5.0, 0.0) for n in (1, 2, 3)] == [5.0, 10.0, 20.0]
    assert backoff_s(1, 5.0, 1.0) == 7.5
