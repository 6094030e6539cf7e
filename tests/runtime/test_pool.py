# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import CancelledError, Future
from pathlib import Path

import psutil
import pytest

from modelkeep.loaders.base import LoadSpec
from modelkeep.runtime.phases import Phase, State
from modelkeep.runtime.pool import Pool
from modelkeep.runtime.restart import RestartPolicy
from modelkeep.runtime.served import Answer, Served
from modelkeep.spec.errors import (
    BadInput,
    LoadFailed,
    NotReady,
    PredictFailed,
    UnknownModel,
    Unreachable,
)
from modelkeep.spec.events import (
    ModelFailed,
    ModelLoaded,
    ModelLoading,
    ModelUnloaded,
    PhaseChanged,
    ServiceSummary,
)
from modelkeep.spec.tensor import TensorSpec
from runtime.stage import Stage, critical, is_in, lazy, status, wait_until


def held(stage: Stage, name: str, gate: threading.Event) -> None:
    """Let the bringing of a model wait for a gate."""
    spec = stage.model(name)

    def bring() -> LoadSpec:
        assert gate.wait(60)
        return spec

    stage.specs[name] = bring


# -- starting ------------------------------------------------------------------


def test_models_load_at_start_and_answer_under_their_names(stage: Stage) -> None:
    stage.mock("a", outputs=[["y", "FP32", [2]]])
    stage.model("b")
    pool = stage.ready(critical("a", version="0123456789ab", size_bytes=7), Served("b"))
    answer = pool.predict("b", {"x": 1}).result(30)
    assert answer == Answer("b", "", {"x": 1})
    assert pool.predict("a", {}).result(30).version == "0123456789ab"
    assert pool.schema("a").outputs == (TensorSpec("y", "FP32", (2,)),)
    seen = status(pool, "a")
    assert (seen.state, seen.reason, seen.size_bytes) == (State.READY, "", 7)
    assert seen.pid is not None
    assert pool.overview().phase is Phase.FULLY_READY


def test_what_happens_is_told_in_order(stage: Stage) -> None:
    stage.mock("a")
    stage.mock("b", fail="no luck")
    stage.mock("c")
    stage.ready(critical("a", size_bytes=7), Served("b"), lazy("c"))
    (loading, _), (loaded,) = stage.told(ModelLoading), stage.told(ModelLoaded)
    assert (loading.model, loading.path, loading.size_bytes) == ("a", str(stage.folder), 7)
    assert (loaded.model, loaded.size_bytes) == ("a", 7)
    assert loaded.wall_s >= 0
    (failed,) = stage.told(ModelFailed)
    assert (failed.model, "no luck" in failed.reason) == ("b", True)
    assert stage.events[-1] == ServiceSummary(("a",), ("c",), ("b",))
    phases = [event.phase for event in stage.told(PhaseChanged)]
    assert phases[0] == Phase.INIT
    assert phases[-1] == Phase.DEGRADED
    assert Phase.CORE_READY in phases


def test_preload_models_begin_only_when_every_critical_one_is_settled(stage: Stage) -> None:
    gate = threading.Event()
    held(stage, "c1", gate)
    stage.mock("c2", fail="no luck")
    stage.model("p")
    pool = stage.pool(critical("c1"), critical("c2"), Served("p"), max_parallel_loads=4)
    wait_until(is_in(pool, "c2", State.FAILED))
    assert status(pool, "c1").state is State.FETCHING
    assert "p" not in stage.brought
    with pytest.raises(NotReady, match="model p: expected it ready, got empty: it has not begun"):
        pool.predict("p", {}).result(30)
    with pytest.raises(NotReady, match=r"model c1: .*fetching: its files are being made present"):
        pool.predict("c1", {}).result(30)
    gate.set()
    assert pool.wait_settled(60)
    assert stage.brought.index("p") == 2
    assert status(pool, "p").state is State.READY


def test_never_more_loads_at_once_than_allowed(stage: Stage) -> None:
    at_once: list[int] = []
    now, lock = [0], threading.Lock()
    names = [f"m{number}" for number in range(6)]
    for name in names:
        spec = stage.model(name)

        def bring(spec: LoadSpec = spec) -> LoadSpec:
            with lock:
                now[0] += 1
                at_once.append(now[0])
            threading.Event().wait(0.05)
            with lock:
                now[0] -= 1
            return spec

        stage.specs[name] = bring
    pool = stage.ready(*map(Served, names), max_parallel_loads=2)
    assert max(at_once) == 2
    assert pool.overview().phase is Phase.FULLY_READY


def test_what_bring_raises_fails_the_slot_with_its_text(stage: Stage) -> None:
    stage.specs["a"] = Unreachable("https://hub", "an answer", "nothing")
    stage.specs["b"] = lambda: 1 / 0  # type: ignore[assignment, return-value]
    pool = stage.ready(critical("a"), Served("b"))
    assert status(pool, "a").reason == "https://hub: expected an answer, got nothing"
    assert "ZeroDivisionError: division by zero" in status(pool, "b").reason
    with pytest.raises(NotReady, match="failed: https://hub: expected an answer"):
        pool.predict("a", {}).result(30)
    assert not pool.overview().ready


def test_a_load_that_takes_too_long_fails_and_its_process_is_gone(stage: Stage) -> None:
    stage.model("a", load_s=600)
    pool = stage.ready(critical("a"), startup_timeout_s=0.5)
    assert "loaded within 0.5 s" in status(pool, "a").reason
    assert status(pool, "a").pid is None


def test_an_empty_pool_is_never_ready_and_still_ends(stage: Stage) -> None:
    pool = stage.ready()
    assert not pool.overview().ready
    assert stage.told(ServiceSummary) == [ServiceSummary((), (), ())]


def test_a_listener_may_look_at_the_service(stage: Stage) -> None:
    seen: list[object] = []
    stage.mock("a")
    pool = Pool([critical("a")], stage.bring, emit=lambda event: seen.append(pool.overview()))
    pool.start()
    assert pool.wait_settled(60)
    pool.close(10)
    assert seen


# -- lazy models ---------------------------------------------------------------


def test_a_lazy_model_loads_on_its_first_question_once(stage: Stage) -> None:
    stage.model("z")
    pool = stage.ready(lazy("z"))
    assert stage.brought == []
    assert pool.overview().ready
    answers = [pool.predict("z", {"x": number}) for number in range(10)]
    assert [answer.result(60).outputs["x"] for answer in answers] == list(range(10))
    assert stage.brought == ["z"]


def test_a_lazy_model_that_takes_too_long_is_not_waited_for(stage: Stage) -> None:
    gate = threading.Event()
    held(stage, "z", gate)
    pool = stage.ready(lazy("z"), startup_timeout_s=5.0)
    answer = pool.predict("z", {})
    with pytest.raises(NotReady, match="it loaded in time, got still loading"):
        answer.result(60)
    gate.set()
    wait_until(is_in(pool, "z", State.READY))


def test_whoever_waits_for_a_lazy_model_is_told_why_it_failed(stage: Stage) -> None:
    stage.mock("z", load_s=0.1, fail="no luck")
    pool = stage.ready(lazy("z"))
    with pytest.raises(NotReady, match="no luck"):
        pool.predict("z", {}).result(60)
    # No endless tries: the next question gets the reason at once.
    with pytest.raises(NotReady, match=r"failed: .*no luck"):
        pool.predict("z", {}).result(60)
    assert stage.brought == ["z"]


def test_a_question_that_waits_may_be_cancelled(stage: Stage) -> None:
    gate = threading.Event()
    held(stage, "z", gate)
    pool = stage.ready(lazy("z"))
    gone, here = pool.predict("z", {"do": "exit", "argument": 1}), pool.predict("z", {"x": 1})
    assert gone.cancel()
    gate.set()
    assert here.result(60).outputs == {"x": 1}
    with pytest.raises(CancelledError):
        gone.result(0)


# -- answers -------------------------------------------------------------------


def test_errors_of_the_model_and_of_the_question_arrive(stage: Stage) -> None:
    stage.model("m")
    pool = stage.ready(Served("m"))
    with pytest.raises(BadInput, match="as told"):
        pool.predict("m", {"do": "raise", "argument": "ValueError"}).result(30)
    with pytest.raises(PredictFailed, match="as told"):
        pool.predict("m", {"do": "raise", "argument": "RuntimeError"}).result(30)


def test_a_name_that_is_not_served_is_unknown_everywhere(stage: Stage) -> None:
    pool = stage.ready(lazy("a"), lazy("b"))
    for ask in (pool.schema, pool.load, pool.unload, lambda name: pool.predict(name, {}).result(0)):
        with pytest.raises(UnknownModel, match="one that is served: a, b"):
            ask("c")


def test_a_failed_model_is_answered_for_by_its_fallback_by_name(stage: Stage) -> None:
    stage.mock("a", fail="no luck")
    stage.mock("b", fail="none here")
    stage.model("c")
    pool = stage.ready(critical("a", fallback="b"), Served("b", fallback="c"), Served("c"))
    assert pool.predict("a", {"x": 1}).result(30) == Answer("c", "", {"x": 1})
    assert (pool.overview().phase, pool.overview().ready) == (Phase.DEGRADED, True)


def test_a_lazy_fallback_is_woken_when_it_is_needed(stage: Stage) -> None:
    stage.mock("a", fail="no luck")
    stage.model("spare")
    pool = stage.ready(critical("a", fallback="spare"), lazy("spare"))
    assert pool.predict("a", {"x": 1}).result(60).model == "spare"
    wait_until(lambda: pool.overview().ready)


def test_whoever_waits_for_a_lazy_model_that_fails_gets_the_fallback(stage: Stage) -> None:
    stage.mock("z", load_s=0.1, fail="no luck")
    stage.model("spare")
    pool = stage.ready(lazy("z", fallback="spare"), Served("spare"))
    assert pool.predict("z", {"x": 1}).result(60).model == "spare"


def test_fallbacks_in_a_circle_or_to_nowhere_end_with_the_first_reason(stage: Stage) -> None:
    for name in "abc":
        stage.mock(name, fail=f"no {name}")
    pool = stage.ready(
        Served("a", fallback="b"), Served("b", fallback="a"), Served("c", fallback="nowhere")
    )
    with pytest.raises(NotReady, match=r"model a: .*no a"):
        pool.predict("a", {}).result(30)
    with pytest.raises(NotReady, match="no c"):
        pool.predict("c", {}).result(30)


def test_a_model_that_loads_is_not_answered_for_by_its_fallback(stage: Stage) -> None:
    gate = threading.Event()
    held(stage, "a", gate)
    stage.model("b")
    pool = stage.pool(Served("a", fallback="b"), critical("b"))
    wait_until(is_in(pool, "a", State.FETCHING))
    with pytest.raises(NotReady, match="model a"):
        pool.predict("a", {}).result(30)
    gate.set()


# -- loading and unloading -----------------------------------------------------


def test_unloading_ends_the_process_and_tells_what_it_held(stage: Stage) -> None:
    stage.model("m", grow_mb=64)
    pool = stage.ready(critical("m"))
    before = status(pool, "m")
    assert before.pid is not None
    assert before.memory_bytes > 56 * 2**20
    assert pool.unload("m") > 64 * 2**20
    assert not psutil.pid_exists(before.pid)
    after = status(pool, "m")
    assert (after.state, after.pid, after.memory_bytes) == (State.EMPTY, None, 0)
    assert not pool.overview().ready
    assert stage.told(ModelUnloaded) == [ModelUnloaded("m")]
    with pytest.raises(NotReady, match="it was unloaded"):
        pool.predict("m", {}).result(30)
    assert pool.unload("m") == 0
    pool.load("m")
    pool.load("m")
    assert pool.predict("m", {"x": 1}).result(30).outputs == {"x": 1}


def test_an_unload_lets_running_answers_finish_and_takes_no_new_ones(
    stage: Stage, tmp_path: Path
) -> None:
    stage.model("m")
    pool = stage.ready(Served("m"))
    go = tmp_path / "go"
    running = pool.predict("m", {"do": "wait for", "argument": str(go)})
    thread = threading.Thread(target=pool.unload, args=("m",))
    thread.start()
    wait_until(is_in(pool, "m", State.DRAINING))
    with pytest.raises(NotReady, match="draining"):
        pool.predict("m", {}).result(30)
    go.touch()
    assert running.result(30).outputs == {"there": str(go)}
    thread.join(60)
    assert status(pool, "m").state is State.EMPTY


def test_an_unloaded_lazy_model_comes_back_with_the_next_question(stage: Stage) -> None:
    stage.model("z")
    pool = stage.ready(lazy("z"))
    pool.load("z")
    pool.unload("z")
    assert pool.predict("z", {"x": 1}).result(60).outputs == {"x": 1}


def test_a_failed_model_can_be_loaded_again_by_order(stage: Stage) -> None:
    stage.mock("m", fail="no luck")
    pool = stage.ready(Served("m"))
    with pytest.raises(LoadFailed, match="no luck"):
        pool.load("m")
    stage.model("m")
    pool.load("m")
    assert pool.predict("m", {"x": 1}).result(30).outputs == {"x": 1}
    assert pool.overview().phase is Phase.FULLY_READY


# -- crashes -------------------------------------------------------------------


def test_a_model_whose_process_is_killed_comes_back_by_itself(stage: Stage) -> None:
    stage.model("m")
    stage.model("other")
    pool = stage.ready(critical("m"), Served("other"))
    first, other = status(pool, "m").pid, status(pool, "other").pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: status(pool, "m").restarts == 1 and is_in(pool, "m", State.READY)())
    assert status(pool, "m").pid != first
    assert status(pool, "other").pid == other
    assert pool.predict("m", {"x": 1}).result(30).outputs == {"x": 1}
    (failed,) = stage.told(ModelFailed)
    assert "its process was ended by SIGKILL; it restarts in 0.05 s" in failed.reason


def test_a_model_that_crashes_too_often_has_failed(stage: Stage) -> None:
    stage.model("m")
    pool = stage.ready(critical("m"), restarts=RestartPolicy((0.01,), 300))
    for _ in range(2):
        wait_until(is_in(pool, "m", State.READY))
        with pytest.raises(PredictFailed, match="exit code 5"):
            pool.predict("m", {"do": "exit", "argument": 5}).result(30)
        wait_until(lambda: not is_in(pool, "m", State.READY)() or status(pool, "m").restarts)
    wait_until(is_in(pool, "m", State.FAILED))
    assert "restarted often enough" in status(pool, "m").reason
    assert pool.overview().phase is Phase.DEGRADED
    pool.load("m")
    assert pool.overview().ready


def test_a_model_that_waits_for_its_restart_can_be_unloaded_or_loaded(stage: Stage) -> None:
    stage.model("m")
    pool = stage.ready(Served("m"), restarts=RestartPolicy((600,), 300))
    for order in (pool.unload, pool.load):
        pid = status(pool, "m").pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            wait_until(is_in(pool, "m", State.LOADING))
        order("m")
    assert pool.predict("m", {"x": 1}).result(30).outputs == {"x": 1}


def test_a_restart_that_does_not_load_has_failed(stage: Stage) -> None:
    stage.model("m")
    pool = stage.ready(Served("m"))
    stage.mock("m", fail="no luck")
    pid = status(pool, "m").pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(is_in(pool, "m", State.FAILED))
    assert "no luck" in status(pool, "m").reason


def test_fifty_askers_survive_a_kill_in_the_middle(stage: Stage) -> None:
    for name in ("a", "b"):
        stage.model(name)
    pool = stage.ready(critical("a"), Served("b"), restarts=RestartPolicy((0.05,) * 3, 300))
    outcomes: dict[str, list[str]] = {"a": [], "b": []}
    begun = threading.Semaphore(0)

    def ask(name: str, number: int) -> None:
        for turn in range(10):
            try:
                sent = {"number": number, "turn": turn}
                assert pool.predict(name, sent).result(60).outputs == sent
                outcomes[name].append("answered")
            except (PredictFailed, NotReady) as error:
                outcomes[name].append(type(error).__name__)
            begun.release()

    threads = [
        threading.Thread(target=ask, args=("ab"[number % 2], number)) for number in range(50)
    ]
    for thread in threads:
        thread.start()
    for _ in range(50):
        assert begun.acquire(timeout=60)
    pid = status(pool, "a").pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    for thread in threads:
        thread.join(120)
    assert outcomes["b"] == ["answered"] * 250
    assert len(outcomes["a"]) == 250
    wait_until(lambda: status(pool, "a").restarts == 1 and is_in(pool, "a", State.READY)())
    assert pool.predict("a", {"x": 1}).result(30).outputs == {"x": 1}


# -- the end -------------------------------------------------------------------


def test_close_answers_what_runs_refuses_what_comes_and_ends_every_process(
    stage: Stage, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        stage.model(name, mark=str(tmp_path / name))
    pool = stage.ready(critical("a"), Served("b"), lazy("z"))
    go = tmp_path / "go"
    running = pool.predict("a", {"do": "wait for", "argument": str(go)})
    thread = threading.Thread(target=pool.close)
    thread.start()
    wait_until(is_in(pool, "a", State.DRAINING))
    for name in ("a", "z"):
        with pytest.raises(NotReady):
            pool.predict(name, {}).result(30)
    go.touch()
    assert running.result(30).outputs == {"there": str(go)}
    thread.join(60)
    assert [slot.pid for slot in pool.overview().slots] == [None] * 3
    assert (tmp_path / "a").read_text() == (tmp_path / "b").read_text() == "loaded\nclosed\n"
    assert {event.model for event in stage.told(ModelUnloaded)} == {"a", "b"}
    with pytest.raises(NotReady, match="the service is closing"):
        pool.load("a")
    pool.close()


def test_close_cuts_off_what_outlasts_the_grace(stage: Stage) -> None:
    stage.model("a")
    pool = stage.ready(critical("a"))
    running = pool.predict("a", {"do": "sleep", "argument": 600})
    pool.close(0.2)
    with pytest.raises(PredictFailed):
        running.result(0)


def test_close_cuts_off_models_that_load_fetch_or_wait_for_their_turn(stage: Stage) -> None:
    gate = threading.Event()
    held(stage, "fetching", gate)
    stage.model("loading", load_s=600)
    stage.model("z", load_s=600)
    pool = stage.pool(critical("loading"), critical("fetching"), critical("z"))
    wait_until(is_in(pool, "loading", State.LOADING))
    wait_until(lambda: status(pool, "loading").pid)
    wait_until(lambda: "fetching" in stage.brought)
    pool.close(20)
    gate.set()
    wait_until(lambda: not psutil.Process().children())
    assert [slot.state for slot in pool.overview().slots if slot.pid] == []
    assert stage.told(ModelFailed) == []
    assert stage.told(ServiceSummary) == []


def test_close_does_not_wait_for_a_restart(stage: Stage) -> None:
    stage.model("a")
    pool = stage.ready(critical("a"), restarts=RestartPolicy((600,), 300))
    pid = status(pool, "a").pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(is_in(pool, "a", State.LOADING))
    pool.close(20)
    assert status(pool, "a").state is State.EMPTY


def test_close_cuts_off_an_unload_with_a_longer_grace(stage: Stage) -> None:
    stage.model("a")
    pool = stage.ready(critical("a"))
    pool.predict("a", {"do": "sleep", "argument": 600})
    thread = threading.Thread(target=pool.unload, args=("a", 600))
    thread.start()
    wait_until(is_in(pool, "a", State.DRAINING))
    pool.close(0.2)
    thread.join(60)
    assert not thread.is_alive()


def test_whoever_waits_for_a_lazy_model_is_told_of_the_end(stage: Stage) -> None:
    gate = threading.Event()
    held(stage, "z", gate)
    pool = stage.ready(lazy("z"))
    answer = pool.predict("z", {})
    wait_until(lambda: "z" in stage.brought)
    pool.close(5)
    with pytest.raises(NotReady, match="the service is closing"):
        answer.result(30)
    gate.set()


def test_closing_in_the_middle_of_everything_leaves_nothing(stage: Stage) -> None:
    names = [f"m{number}" for number in range(6)]
    for name in names:
        stage.model(name)
    served = [critical("m0"), Served("m1", fallback="m2"), *map(lazy, names[2:])]
    for turn in range(4):
        pool = stage.pool(*served, max_parallel_loads=3)
        answers: list[Future[Answer]] = []
        for number in range(12 * turn):
            answers.append(pool.predict(names[number % 6], {"x": number}))
        pool.close(10)
        for answer in answers:
            assert answer.done() or answer.exception(30) is not None
        assert [slot.pid for slot in pool.overview().slots] == [None] * 6
