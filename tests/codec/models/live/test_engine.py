"""The ways to run a step: the same results, fixed widths where they must be, and a way on where one fails."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from codec.models.factory import TorchCodec
from codec.models.half import CodecHalf
from codec.models.layers import State
from codec.models.live import engine
from codec.models.live.engine import ActiveMode, StepEngine, chosen_mode, widths
from codec.session import Codes
from tests.codec.models.live.conftest import noise

CPU = torch.device("cpu")
FRAMES = 5


class PretendedCapture:
    """Keeps the step and repeats it, as a graph would: on the same buffers, with the width it was captured at."""

    def __init__(self, device: torch.device) -> None:
        assert device == CPU

    def capture(self, step: Callable[[], None]) -> Callable[[], None]:
        step()
        return step


def engine_of(codec: TorchCodec, capacity: int, mode: ActiveMode) -> StepEngine:
    return StepEngine(codec.encoder, torch.zeros(1, codec.spec.frame_size), capacity, mode)


def stream(made: StepEngine, codec: TorchCodec, turns: list[list[int]]) -> list[Codes]:
    """Codes of rows that have a frame in some turns and none in others; each begins with its first."""
    size = codec.spec.frame_size
    sounds = [noise(FRAMES, size, seed=row) for row in range(made.arena.capacity)]
    sent = [0] * len(sounds)
    results = []
    for rows in turns:
        frames: list[NDArray[Any]] = [sounds[row][sent[row] * size : (sent[row] + 1) * size] for row in rows]
        results.append(made.step(frames, rows, begin=[row for row in rows if not sent[row]]))
        for row in rows:
            sent[row] += 1
    return results


TURNS = [[0], [0, 1, 2], [1, 3], [0, 1, 2, 3, 4], [4], [2, 4], [0, 1, 2, 3, 4]]


@pytest.mark.parametrize(("capacity", "expected"), [(1, [1]), (2, [2, 1]), (8, [8, 4, 2, 1]), (12, [12, 8, 4, 2, 1])])
def test_widths_are_powers_of_two_up_to_the_capacity(capacity: int, expected: list[int]) -> None:
    assert widths(capacity) == expected


def test_auto_is_a_graph_on_a_gpu_and_eager_on_a_cpu() -> None:
    assert chosen_mode("auto", CPU) == "eager"
    assert chosen_mode("auto", torch.device("cuda", 0)) == "graph"
    assert chosen_mode("compile", CPU) == "compile"


def test_a_captured_step_of_fixed_width_gives_the_codes_of_an_eager_one(
    live_codec: TorchCodec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "GraphCapture", PretendedCapture)
    captured = engine_of(live_codec, 5, "graph")
    assert (captured.mode, captured.fallbacks) == ("graph", 0)
    eager = engine_of(live_codec, 5, "eager")
    for ours, theirs in zip(stream(captured, live_codec, TURNS), stream(eager, live_codec, TURNS), strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_array_equal(ours, theirs)


def test_rows_that_only_fill_a_width_up_touch_no_stream(
    live_qwen3: TorchCodec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "GraphCapture", PretendedCapture)
    made = engine_of(live_qwen3, 6, "graph")
    stream(made, live_qwen3, [[0, 1, 2, 3, 4, 5]])
    before = [made.arena.row(row) for row in (0, 4, 5)]
    frame = noise(1, live_qwen3.spec.frame_size, seed=8)
    made.step([frame] * 3, [1, 2, 3], begin=[])  # a step four rows wide
    for kept, row in zip(before, (0, 4, 5), strict=True):
        now = made.arena.row(row)
        assert all(torch.equal(value, now[name]) for name, value in kept.items())


def test_results_stay_what_they_were_when_the_next_step_runs(live_qwen3: TorchCodec) -> None:
    made = engine_of(live_qwen3, 1, "eager")
    first = made.step([noise(1, live_qwen3.spec.frame_size, seed=0)], [0], begin=[0])
    kept = first.copy()
    made.step([noise(1, live_qwen3.spec.frame_size, seed=1)], [0], begin=[])
    np.testing.assert_array_equal(first, kept)


def test_a_capture_that_fails_gives_way_to_eager_steps_and_is_said(
    live_qwen3: TorchCodec, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class FailingCapture(PretendedCapture):
        captured = 0

        def capture(self, step: Callable[[], None]) -> Callable[[], None]:
            FailingCapture.captured += 1
            if FailingCapture.captured == 2:
                raise RuntimeError("CUDA out of memory.\nTried to allocate more")
            return super().capture(step)

    monkeypatch.setattr(engine, "GraphCapture", FailingCapture)
    with caplog.at_level(logging.WARNING, "codec.models.live"):
        made = engine_of(live_qwen3, 4, "graph")
    assert (made.mode, made.fallbacks) == ("eager", 1)
    (record,) = caplog.records
    assert record.getMessage() == ("live step: a CUDA graph failed, it goes on without, slower: CUDA out of memory.")
    expected = stream(engine_of(live_qwen3, 4, "eager"), live_qwen3, [[0, 1], [2]])
    for ours, theirs in zip(stream(made, live_qwen3, [[0, 1], [2]]), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_compiler_that_fails_gives_way_to_eager_steps(
    live_qwen3: TorchCodec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_compiler(*_: Any, **__: Any) -> Any:
        raise RuntimeError("No working C++ compiler found")

    monkeypatch.setattr(torch, "compile", no_compiler)
    made = engine_of(live_qwen3, 2, "compile")
    assert (made.mode, made.fallbacks) == ("eager", 1)
    assert stream(made, live_qwen3, [[0, 1]])[0].shape == (2, live_qwen3.spec.num_layers, 1)


def test_a_compiled_step_of_fixed_width_gives_the_codes_of_an_eager_one(
    live_qwen3: TorchCodec, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: set[int] = set()

    def pretended(half: CodecHalf) -> Callable[..., Any]:
        # A real compiler takes minutes, and what it makes of the half is its own affair.
        def run(data: torch.Tensor, state: State) -> Any:
            batches.add(len(data))
            return half(data, state)

        return run

    monkeypatch.setattr(torch, "compile", pretended)
    compiled = engine_of(live_qwen3, 3, "compile")
    assert (compiled.mode, compiled.fallbacks) == ("compile", 0)
    assert batches == {1, 2, 3}, "every width is made ready before the first stream comes"
    turns = [[0], [0, 1, 2], [2], [1, 2]]
    expected = stream(engine_of(live_qwen3, 3, "eager"), live_qwen3, turns)
    for ours, theirs in zip(stream(compiled, live_qwen3, turns), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
