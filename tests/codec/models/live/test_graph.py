"""The step as a CUDA graph, where there is a GPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from codec.models.factory import TorchCodec
from codec.models.live import LiveDecoder, LiveEncoder, Mode, StreamHandle
from codec.models.session import TorchDecoder, TorchEncoder
from codec.models.ties import is_tie
from codec.session import Codes, Samples
from tests.codec.models.live.conftest import noise

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no NVIDIA GPU here"),
]

FRAMES = 20
TOLERANCE = 1e-4


def on_cpu(codec: TorchCodec, pcm: Samples) -> tuple[Codes, torch.Tensor]:
    """Codes [K, N] and latents [N, dim] of one stream by the CPU."""
    with TorchEncoder(codec.encoder.cpu(), codec.spec).session() as session:
        codes = session.encode(pcm)[0]
        return codes, session.latents[0]


def test_streams_in_a_graph_have_the_codes_of_the_cpu_while_others_come_and_go(live_codec: TorchCodec) -> None:
    spec = live_codec.spec
    pcm = [noise(FRAMES, spec.frame_size, seed=seed) for seed in range(5)]
    expected = [on_cpu(live_codec, sound) for sound in pcm]
    live = LiveEncoder(live_codec.encoder, spec, capacity=5, device="cuda")
    try:
        assert (live.mode, live.statistics().fallbacks) == ("graph", 0)
        made: dict[StreamHandle, list[Codes]] = {}
        names: list[StreamHandle] = []
        for turn in range(FRAMES + 2 * len(pcm)):
            if turn % 2 == 0 and len(names) < len(pcm):
                handle = live.join()
                names.append(handle)
                made[handle] = []
                live.push(handle, pcm[int(handle)])
                live.finish(handle)
            for handle, column in live.step().items():
                made[handle].append(column)
    finally:
        live_codec.encoder.cpu()
    assert live.streams == 0
    for handle, (codes, latents) in zip(names, expected, strict=True):
        ours = np.concatenate(made[handle], axis=1)
        for frame in np.flatnonzero((ours != codes).any(axis=0)):
            # The state differs by float32 noise, so a tie may also be one of the CPU's latent only.
            assert is_tie(live_codec.encoder.quantizer, latents[frame], ours[:, frame], codes[:, frame])


@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_sound_of_the_gpu_is_that_of_the_cpu(live_codec: TorchCodec, mode: Mode) -> None:
    spec = live_codec.spec
    codes = np.random.default_rng(0).integers(spec.codebook_size, size=(spec.num_layers, FRAMES))
    with TorchDecoder(live_codec.decoder.cpu(), spec).session() as session:
        expected = session.decode(codes)[0]
    live = LiveDecoder(live_codec.decoder, spec, capacity=3, device="cuda", mode=mode)
    try:
        handle = live.join()
        live.push(handle, codes)
        sound = np.concatenate([live.step()[handle] for _ in range(FRAMES)])
    finally:
        live_codec.decoder.cpu()
    assert live.mode == mode
    np.testing.assert_allclose(sound, expected, rtol=0, atol=TOLERANCE)


def test_steps_take_no_new_memory(live_qwen3: TorchCodec) -> None:
    live = LiveEncoder(live_qwen3.encoder, live_qwen3.spec, capacity=4, device="cuda")
    try:
        handle = live.join()
        size = live_qwen3.spec.frame_size
        live.push(handle, noise(1, size, seed=0))
        live.step()
        before = torch.cuda.memory_allocated()
        for _ in range(10):
            live.push(handle, noise(1, size, seed=1))
            live.step()
        assert torch.cuda.memory_allocated() == before
    finally:
        live_qwen3.encoder.cpu()
