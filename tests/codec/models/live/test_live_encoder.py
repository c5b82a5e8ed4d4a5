"""Many streams in one batched step: each has the codes that it has alone, whoever comes and goes beside it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from threading import Thread
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from codec.errors import CodecError, DeviceError, FrameSizeError, OverloadError
from codec.models.factory import TorchCodec, load_torch_codec
from codec.models.layers import attend_to_everything
from codec.models.live import LiveEncoder, StreamHandle
from codec.models.session import TorchEncoder
from codec.models.ties import is_tie
from codec.session import Codes, Samples
from tests.codec.models.live.conftest import noise

MAX_EXEMPT_SHARE = 1e-3


def alone(codec: TorchCodec, pcm: Samples) -> tuple[Codes, torch.Tensor]:
    """Codes [K, N] of a stream that has the encoder to itself, and the latents [N, dim] they stand for."""
    with TorchEncoder(codec.encoder, codec.spec).session() as session:
        codes = session.encode(pcm)[0]
        return codes, session.latents[0]


def unexcused(codec: TorchCodec, pcm: Samples, codes: Codes) -> tuple[int, int]:
    """Frames whose codes are not those of the stream alone: those no near-tie explains, and those one does."""
    expected, latents = alone(codec, pcm)
    assert codes.shape == expected.shape
    differing = np.flatnonzero((codes != expected).any(axis=0))
    ties = [is_tie(codec.encoder.quantizer, latents[n], codes[:, n], expected[:, n]) for n in differing]
    return ties.count(False), ties.count(True)


def test_each_stream_has_the_codes_it_has_alone_whoever_joins_and_leaves(live_codec: TorchCodec) -> None:
    spec, generator = live_codec.spec, np.random.default_rng(7)
    live = LiveEncoder(live_codec.encoder, spec, capacity=7)
    pcm = [noise(frames, spec.frame_size, seed=index) for index, frames in enumerate((40, 9, 25, 33, 14, 30, 21, 12))]
    joins = [0, 0, 3, 5, 8, 14, 19, 30]
    sent = [0] * len(pcm)
    handles: dict[StreamHandle, int] = {}
    codes: list[list[Codes]] = [[] for _ in pcm]
    for turn in range(80):
        for index, join in enumerate(joins):
            if turn == join:
                handles[live.join()] = index
        for handle, index in list(handles.items()):
            # Any block size, from nothing to over a frame: rows stand at different places, some miss a step.
            block = int(generator.integers(0, 3 * spec.frame_size // 2))
            live.push(handle, pcm[index][sent[index] : sent[index] + block])
            sent[index] += block
            if sent[index] >= len(pcm[index]):
                live.finish(handle)
                del handles[handle]
        by_handle = live.step()
        for handle, column in by_handle.items():
            codes[int(handle)].append(column)
        if turn > max(joins) and not handles and not by_handle:
            break
    verdicts = [
        unexcused(live_codec, sound, np.concatenate(made, axis=1)) for sound, made in zip(pcm, codes, strict=True)
    ]
    frames = sum(len(made) for made in codes)
    assert sum(bad for bad, _ in verdicts) == 0
    assert sum(exempt for _, exempt in verdicts) <= MAX_EXEMPT_SHARE * frames + 1, verdicts
    statistics = live.statistics()
    assert (statistics.joined, statistics.left, statistics.frames) == (len(pcm), len(pcm), frames)
    assert live.streams == 0


def test_a_place_that_was_used_is_as_good_as_new(live_codec: TorchCodec) -> None:
    live = LiveEncoder(live_codec.encoder, live_codec.spec, capacity=1)
    pcm = noise(6, live_codec.spec.frame_size, seed=1)

    def run() -> Codes:
        handle = live.join()
        live.push(handle, pcm)
        made = [live.step()[handle] for _ in range(6)]
        live.leave(handle)
        return np.concatenate(made, axis=1)

    first = run()
    other = live.join()
    live.push(other, noise(4, live_codec.spec.frame_size, seed=2))
    for _ in range(4):
        live.step()
    live.leave(other)
    np.testing.assert_array_equal(run(), first)


def test_codes_come_one_frame_after_the_sound(live_qwen3: TorchCodec) -> None:
    live = LiveEncoder(live_qwen3.encoder, live_qwen3.spec)
    size = live_qwen3.spec.frame_size
    handle = live.join()
    live.push(handle, np.zeros(size - 1, dtype=np.float32))
    assert live.step() == {}
    live.push(handle, np.zeros(1, dtype=np.float32))
    assert live.waiting == 1
    codes = live.step()[handle]
    assert codes.shape == (live_qwen3.spec.num_layers, 1)
    assert codes.dtype == np.int64
    assert live.step() == {}
    assert live.statistics().steps == 1


def test_a_stream_without_a_frame_keeps_its_state_bit_for_bit(live_codec: TorchCodec) -> None:
    live = LiveEncoder(live_codec.encoder, live_codec.spec, capacity=3)
    size = live_codec.spec.frame_size
    handles = [live.join() for _ in range(3)]
    for seed, handle in enumerate(handles):
        live.push(handle, noise(2, size, seed=seed))
    live.step()
    live.step()
    arena = live._engine.arena
    before = arena.row(1)
    for handle in (handles[0], handles[2]):
        live.push(handle, noise(1, size, seed=9))
    assert set(live.step()) == {handles[0], handles[2]}
    after = arena.row(1)
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_no_place_left_is_refused_and_counted_and_a_leaver_makes_room(live_qwen3: TorchCodec) -> None:
    live = LiveEncoder(live_qwen3.encoder, live_qwen3.spec, capacity=2)
    first, second = live.join(), live.join()
    with pytest.raises(OverloadError, match="All 2 places"):
        live.join()
    live.leave(first)
    third = live.join()
    assert len({first, second, third}) == 3, "a name is never given twice"
    statistics = live.statistics()
    assert (statistics.joined, statistics.left, statistics.refused_streams) == (3, 1, 1)


def test_a_full_queue_refuses_the_whole_push_and_counts_it(live_qwen3: TorchCodec) -> None:
    size = live_qwen3.spec.frame_size
    live = LiveEncoder(live_qwen3.encoder, live_qwen3.spec, max_waiting_frames=2)
    handle, neighbour = live.join(), live.join()
    live.push(handle, noise(2, size, seed=0))
    live.push(handle, np.zeros(size - 1, dtype=np.float32))
    with pytest.raises(OverloadError, match="has 2 frames waiting and brings 1 more, beyond 2"):
        live.push(handle, np.zeros(1, dtype=np.float32))
    live.push(neighbour, noise(2, size, seed=1))  # nobody else's trouble
    assert live.waiting == 2
    live.step()
    live.push(handle, np.zeros(1, dtype=np.float32))
    assert live.waiting == 2
    assert live.statistics().refused_pushes == 1


def test_finish_fills_the_last_frame_up_and_the_stream_leaves_after_it(live_qwen3: TorchCodec) -> None:
    size = live_qwen3.spec.frame_size
    live = LiveEncoder(live_qwen3.encoder, live_qwen3.spec)
    handle = live.join()
    pcm = noise(2, size, seed=3)[: size + 100]
    live.push(handle, pcm)
    live.finish(handle)
    with pytest.raises(CodecError, match="finished"):
        live.push(handle, pcm)
    codes = np.concatenate([live.step()[handle], live.step()[handle]], axis=1)
    assert live.streams == 0
    padded = np.concatenate([pcm, np.zeros(size - 100, dtype=np.float32)])
    assert unexcused(live_qwen3, padded, codes)[0] == 0
    empty = live.join()
    live.finish(empty)
    assert live.streams == 0


def test_a_stream_that_left_is_unknown_and_its_waiting_frames_are_gone(live_qwen3: TorchCodec) -> None:
    live = LiveEncoder(live_qwen3.encoder, live_qwen3.spec)
    handle = live.join()
    live.push(handle, noise(2, live_qwen3.spec.frame_size, seed=0))
    live.leave(handle)
    assert live.step() == {}
    for call in (live.leave, live.finish):
        with pytest.raises(CodecError, match="No live stream 0 here"):
            call(handle)
    with pytest.raises(CodecError, match="No live stream 0 here"):
        live.push(handle, np.zeros(1, dtype=np.float32))


def test_who_leaves_during_a_step_gets_nothing_and_leaves_nothing_behind(
    live_qwen3: TorchCodec, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = live_qwen3.spec.frame_size
    live = LiveEncoder(live_qwen3.encoder, live_qwen3.spec, capacity=1)
    gone = live.join()
    live.push(gone, noise(3, size, seed=0))
    live.step()
    step, heirs = live._engine.step, []

    def leave_meanwhile(*args: Any, **named: Any) -> NDArray[Any]:
        live.leave(gone)
        heirs.append(live.join())
        return step(*args, **named)

    with monkeypatch.context() as patch:
        patch.setattr(live._engine, "step", leave_meanwhile)
        assert live.step() == {}
    pcm = noise(1, size, seed=5)
    live.push(heirs[0], pcm)
    assert unexcused(live_qwen3, pcm, live.step()[heirs[0]])[0] == 0


def test_a_step_that_fails_loses_no_frame(live_qwen3: TorchCodec, monkeypatch: pytest.MonkeyPatch) -> None:
    live = LiveEncoder(live_qwen3.encoder, live_qwen3.spec)
    handle = live.join()
    pcm = noise(2, live_qwen3.spec.frame_size, seed=4)
    live.push(handle, pcm)

    def fail(*_: Any, **__: Any) -> NDArray[Any]:
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(live._engine, "_compute", fail)
        with pytest.raises(RuntimeError, match="out of memory"):
            live.step()
    codes = np.concatenate([live.step()[handle], live.step()[handle]], axis=1)
    assert unexcused(live_qwen3, pcm, codes)[0] == 0


def test_bad_samples_are_counted_and_hurt_nobody(live_qwen3: TorchCodec) -> None:
    size = live_qwen3.spec.frame_size
    live = LiveEncoder(live_qwen3.encoder, live_qwen3.spec, capacity=2)
    bad, good = live.join(), live.join()
    broken = noise(4, size, seed=0)
    broken[[5, 70, 900]] = np.nan, np.inf, 1e30
    healthy = noise(4, size, seed=1)
    live.push(bad, broken)
    live.push(good, healthy)
    steps = [live.step() for _ in range(4)]
    assert live.statistics().nonfinite_samples == 3
    for handle, pcm in ((bad, broken), (good, healthy)):
        assert unexcused(live_qwen3, pcm, np.concatenate([step[handle] for step in steps], axis=1))[0] == 0


@pytest.mark.parametrize("shape", [(2, 8), ()])
def test_samples_of_another_shape_are_refused(live_qwen3: TorchCodec, shape: tuple[int, ...]) -> None:
    live = LiveEncoder(live_qwen3.encoder, live_qwen3.spec)
    with pytest.raises(FrameSizeError, match="mono samples"):
        live.push(live.join(), np.zeros(shape, dtype=np.float32))


def ticks(steps: Sequence[float]) -> Any:
    """A clock by which the steps take so many seconds."""
    times = iter([moment for taken in steps for moment in (0.0, taken)])
    return lambda: next(times)


def test_steps_slower_than_the_sound_are_counted_and_said_once_an_episode(
    live_qwen3: TorchCodec, caplog: pytest.LogCaptureFixture
) -> None:
    taken = [0.01, 0.1, 0.2, 0.079, 0.081]
    live = LiveEncoder(live_qwen3.encoder, live_qwen3.spec, clock=ticks(taken))
    handle = live.join()
    live.push(handle, noise(len(taken), live_qwen3.spec.frame_size, seed=0))
    with caplog.at_level(logging.WARNING, "codec.models.live"):
        for _ in taken:
            live.step()
    assert live.statistics().slow_steps == 3
    assert [record.getMessage().split(" for ")[0] for record in caplog.records] == [
        "live step of 1 streams took 100 ms",
        "live step of 1 streams took 81 ms",
    ]


def test_many_threads_may_push_while_one_steps(live_qwen3: TorchCodec) -> None:
    size, frames = live_qwen3.spec.frame_size, 12
    live = LiveEncoder(live_qwen3.encoder, live_qwen3.spec, capacity=3, max_waiting_frames=frames)
    sounds = {live.join(): noise(frames, size, seed=seed) for seed in range(3)}

    def feed(handle: StreamHandle, pcm: Samples) -> None:
        for start in range(0, len(pcm), 700):
            live.push(handle, pcm[start : start + 700])
        live.finish(handle)

    threads = [Thread(target=feed, args=entry) for entry in sounds.items()]
    made: dict[StreamHandle, list[Codes]] = {handle: [] for handle in sounds}
    for thread in threads:
        thread.start()
    while live.streams:
        for handle, column in live.step().items():
            made[handle].append(column)
    for thread in threads:
        thread.join(timeout=10)
    for handle, pcm in sounds.items():
        assert unexcused(live_qwen3, pcm, np.concatenate(made[handle], axis=1))[0] == 0


def test_a_state_that_grows_is_refused() -> None:
    grown = load_torch_codec("nano", None)
    attend_to_everything(grown.encoder)
    with pytest.raises(CodecError, match="attention with a window"):
        LiveEncoder(grown.encoder, grown.spec)


def test_what_cannot_be_had_is_an_error(live_qwen3: TorchCodec) -> None:
    with pytest.raises(CodecError, match="needs a GPU"):
        LiveEncoder(live_qwen3.encoder, live_qwen3.spec, device="cpu", mode="graph")
    with pytest.raises(DeviceError):
        LiveEncoder(live_qwen3.encoder, live_qwen3.spec, device="cuda:99")
    with pytest.raises(ValueError, match="at least one place"):
        LiveEncoder(live_qwen3.encoder, live_qwen3.spec, capacity=0)
