"""Codes of many live streams back to sound, by the same step as the encoder's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from codec.errors import CodecError, CodesError, OverloadError
from codec.models.factory import TorchCodec
from codec.models.live import LiveDecoder, StreamHandle
from codec.models.session import TorchDecoder
from codec.session import Codes, Samples

TOLERANCE = 1e-4


def codes_of(codec: TorchCodec, frames: int, *, seed: int, layers: int | None = None) -> Codes:
    shape: tuple[int, int] = (codec.spec.num_layers if layers is None else layers, frames)
    return np.random.default_rng(seed).integers(codec.spec.codebook_size, size=shape)


def alone(codec: TorchCodec, codes: Codes) -> Samples:
    with TorchDecoder(codec.decoder, codec.spec).session() as session:
        samples: Samples = session.decode(codes)[0]
        return samples


def test_each_stream_sounds_as_it_does_alone_whoever_joins_and_leaves(live_codec: TorchCodec) -> None:
    live = LiveDecoder(live_codec.decoder, live_codec.spec, capacity=3)
    codes = [codes_of(live_codec, frames, seed=frames, layers=layers) for frames, layers in ((8, 16), (3, 4), (5, 1))]
    joins = [0, 2, 3]
    names: dict[StreamHandle, int] = {}
    made: list[list[Samples]] = [[], [], []]
    for turn in range(12):
        for index, join in enumerate(joins):
            if turn == join:
                handle = live.join()
                names[handle] = index
                live.push(handle, codes[index])
                live.finish(handle)
        for handle, samples in live.step().items():
            made[names[handle]].append(samples)
    assert live.streams == 0
    for given, parts in zip(codes, made, strict=True):
        sound = np.concatenate(parts)
        assert sound.dtype == np.float32
        assert len(sound) == given.shape[1] * live_codec.spec.frame_size
        np.testing.assert_allclose(sound, alone(live_codec, given), rtol=0, atol=TOLERANCE)


def test_codes_no_encoder_can_have_made_are_refused(live_qwen3: TorchCodec) -> None:
    live = LiveDecoder(live_qwen3.decoder, live_qwen3.spec)
    handle = live.join()
    wrongs: list[NDArray[Any]] = [np.full((16, 1), 2048), np.full((17, 1), 0), np.full((16, 1), -1)]
    for wrong in (*wrongs, np.zeros((16, 1)), np.zeros(16, dtype=np.int64)):
        with pytest.raises(CodesError):
            live.push(handle, wrong)
    assert live.waiting == 0


def test_a_full_queue_refuses_the_whole_push_and_a_finished_stream_every_push(live_qwen3: TorchCodec) -> None:
    live = LiveDecoder(live_qwen3.decoder, live_qwen3.spec, max_waiting_frames=3)
    handle = live.join()
    live.push(handle, codes_of(live_qwen3, 2, seed=0))
    with pytest.raises(OverloadError):
        live.push(handle, codes_of(live_qwen3, 2, seed=1))
    assert live.waiting == 2
    live.finish(handle)
    with pytest.raises(CodecError, match="finished"):
        live.push(handle, codes_of(live_qwen3, 1, seed=1))
