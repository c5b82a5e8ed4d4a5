from __future__ import annotations

import logging
import threading
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.conditioning import LevelTracker
from gateway.config import ConditioningConfig
from gateway.sources import AudioBlock, ConditionedSource

RATE = 16000


def filled(samples: int, value: float = 0.5) -> NDArray[np.float32]:
    return np.full(samples, value, dtype=np.float32)


def read(source: ConditionedSource) -> list[AudioBlock]:
    with source:
        return list(source.blocks(threading.Event()))


def joined(blocks: list[AudioBlock]) -> NDArray[np.float32]:
    return np.concatenate([block.samples for block in blocks])


def test_by_default_every_sample_passes_as_it_is(make_source: Any) -> None:
    sound = np.random.default_rng(1).normal(0, 0.3, 5000).astype(np.float32)
    blocks = read(
        ConditionedSource(make_source([AudioBlock(sound)]), ConditioningConfig(), sample_rate=RATE),
    )
    np.testing.assert_array_equal(joined(blocks), sound)
    assert all(block.captured_at is None for block in blocks)


def test_it_lives_and_speaks_as_the_source_inside(make_source: Any) -> None:
    inner = make_source([], live=True)
    inner.overflows, inner.counters = 3, {"input_lost": 4}
    source = ConditionedSource(inner, ConditioningConfig(), sample_rate=RATE)
    assert source.live
    assert source.description == "scripted source"
    assert source.overflows == 3
    assert read(source) == []
    assert (inner.entered, inner.left) == (1, 1)
    assert source.counters == {
        "input_lost": 4,
        "input_clipped_samples": 0,
        "input_clipping_episodes": 0,
        "input_peak_dbfs": -120,
    }


def test_a_long_block_comes_in_pieces_with_their_times(make_source: Any) -> None:
    """So that the level moves while a file is played."""
    level = LevelTracker()
    source = ConditionedSource(
        make_source([AudioBlock(filled(2000), captured_at=5.0, lost_samples=70)]),
        ConditioningConfig(),
        sample_rate=RATE,
        level=level,
    )
    blocks = source.blocks(threading.Event())
    first = next(blocks)
    assert (len(first.samples), first.captured_at, first.lost_samples) == (800, 5.0, 70)
    assert level.take().samples == 800
    rest = list(blocks)
    assert [(len(block.samples), block.lost_samples) for block in rest] == [(800, 0), (400, 0)]
    assert [block.captured_at for block in rest] == pytest.approx([5.05, 5.1])


def test_the_limiter_keeps_count_and_times(make_source: Any) -> None:
    """A click comes out at the time at which it went in, although later."""
    sound = np.zeros(3200, dtype=np.float32)
    sound[1600] = 0.7
    inner = make_source([AudioBlock(sound[n : n + 320], captured_at=9.0 + n / RATE) for n in range(0, 3200, 320)])
    blocks = read(ConditionedSource(inner, ConditioningConfig(limiter=True), sample_rate=RATE))
    assert len(joined(blocks)) == 3200
    times = [
        block.captured_at + int(block.samples.argmax()) / RATE
        for block in blocks
        if block.captured_at is not None and block.samples.max(initial=0) > 0.5
    ]
    assert times == [pytest.approx(9.1)]


def test_what_is_held_back_comes_out_before_a_gap(make_source: Any) -> None:
    inner = make_source([AudioBlock(filled(320), 1.0), AudioBlock(filled(320), 2.0, lost_samples=500)])
    blocks = read(ConditionedSource(inner, ConditioningConfig(limiter=True), sample_rate=RATE))
    before = next(index for index, block in enumerate(blocks) if block.lost_samples)
    assert len(joined(blocks[:before])) == 320
    assert len(joined(blocks[before:])) == 320
    assert blocks[before].lost_samples == 500
    assert blocks[before].captured_at == 2.0


def test_after_a_stop_nothing_is_flushed(make_source: Any) -> None:
    stop = threading.Event()
    source = ConditionedSource(
        make_source([AudioBlock(filled(320)), AudioBlock(filled(320))]),
        ConditioningConfig(limiter=True),
        sample_rate=RATE,
    )
    blocks = source.blocks(stop)
    next(blocks)
    stop.set()
    assert list(blocks) == []


def test_empty_blocks_pass(make_source: Any) -> None:
    inner = make_source([AudioBlock(filled(0)), AudioBlock(filled(0), lost_samples=9)])
    blocks = read(ConditionedSource(inner, ConditioningConfig(limiter=True), sample_rate=RATE))
    assert [(len(block.samples), block.lost_samples) for block in blocks] == [(0, 0), (0, 9)]


def test_clipping_is_said_once_with_the_name_of_the_source(make_source: Any, caplog: pytest.LogCaptureFixture) -> None:
    loud = [AudioBlock(filled(320, 1.0)) for _ in range(20)]
    source = ConditionedSource(make_source(loud), ConditioningConfig(), sample_rate=RATE)
    with caplog.at_level(logging.WARNING):
        read(source)
    assert caplog.messages == ["input too loud, clipping detected: scripted source"]
    assert source.counters["input_clipped_samples"] == 6400
    assert source.counters["input_clipping_episodes"] == 1
    assert source.counters["input_peak_dbfs"] == 0


def test_what_the_source_saw_itself_is_believed(make_source: Any) -> None:
    level = LevelTracker()
    inner = make_source(
        [AudioBlock(filled(2000, 0.4), clipped_samples=12), AudioBlock(filled(2000, 1.0), clipped_samples=0)]
    )
    source = ConditionedSource(inner, ConditioningConfig(), sample_rate=RATE, level=level)
    with source:
        blocks = source.blocks(threading.Event())
        next(blocks)
        assert level.take().clipped
        for _ in blocks:
            pass
    assert not level.take().clipped
    assert source.counters["input_clipped_samples"] == 12


def test_clipping_is_seen_before_the_gain(make_source: Any) -> None:
    quieter = ConditionedSource(
        make_source([AudioBlock(filled(320, 1.0))]), ConditioningConfig(gain_db=-20), sample_rate=RATE
    )
    read(quieter)
    assert quieter.counters["input_clipped_samples"] == 320
    assert quieter.counters["input_peak_dbfs"] == -20


def test_the_counters_of_the_conditioning_are_there(make_source: Any) -> None:
    config = ConditioningConfig(auto_gain=True, high_pass_hz=80)
    source = ConditionedSource(make_source([]), config, sample_rate=RATE)
    assert {"conditioning_gain_db", "conditioning_limited_ms", "conditioning_nonfinite_samples"} <= set(source.counters)
