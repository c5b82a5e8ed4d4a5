"""Qwen's encoder in the form it is exported in: what the torch encoder computes, in torch and in ONNX Runtime."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor

from codec.external_data import data_file_of
from codec.models.factory import TorchCodec, load_torch_codec
from codec.models.session import TorchEncoder
from codec.onnx import OnnxEncoder
from export.fixed_frames import fix_frames
from export.parity import ENCODER_ROWS
from export.rewrite.halves import rewritten
from export.speech import speech_rows
from export.wrappers import StatefulGraph

FRAMES = 140
"""Past the attention's window of 250 steps, two of which make a frame."""


@pytest.fixture(scope="module")
def codec(small_qwen3: Path) -> TorchCodec:
    return load_torch_codec("qwen3-12hz", small_qwen3)


@pytest.fixture
def exported(small_qwen3_onnx: Path) -> Path:
    return small_qwen3_onnx / "encoder.onnx"


def zeros(graph: StatefulGraph, rows: int) -> tuple[Tensor, ...]:
    return tuple(value.new_zeros((rows, *value.shape[1:])) for value in graph.initial.values())


@torch.inference_mode()
def test_the_rewritten_encoder_streams_as_the_original_does(codec: TorchCodec) -> None:
    ours, theirs = StatefulGraph(rewritten(codec.encoder)), StatefulGraph(codec.encoder)
    generator = torch.Generator().manual_seed(4)
    pcm = torch.from_numpy(speech_rows(3, FRAMES, codec.spec))
    our_state, their_state = zeros(ours, 3), zeros(theirs, 3)
    at = differing = 0
    for step in range(60):
        count = (1, 4, 3)[step % 3]
        data = pcm[:, at : at + count].flatten(1)
        at = (at + count) % (FRAMES - 4)
        active = torch.rand(3, generator=generator) < 0.8
        reset = (torch.rand(3, generator=generator) < 0.03) & active
        (codes, latents, *our_state), (true_codes, true_latents, *their_state) = (
            ours(data, active, reset, *our_state),
            theirs(data, active, reset, *their_state),
        )
        torch.testing.assert_close(latents[active], true_latents[active], atol=1e-5, rtol=0)
        differing += int((codes != true_codes).any(dim=1)[active].sum())
    # A near-tie may fall either way.
    assert differing <= 1


@torch.inference_mode()
def test_the_state_of_a_row_that_is_not_active_stays_as_it_is_bit_for_bit(codec: TorchCodec) -> None:
    graph = StatefulGraph(rewritten(codec.encoder))
    pcm = torch.from_numpy(speech_rows(2, 4, codec.spec)).flatten(1)
    both, nobody = torch.ones(2, dtype=torch.bool), torch.zeros(2, dtype=torch.bool)
    _, _, *before = graph(pcm, both, nobody, *zeros(graph, 2))
    _, _, *after = graph(-pcm, torch.tensor([True, False]), nobody, *before)
    for name, old, new in zip(graph.state_names, before, after, strict=True):
        assert torch.equal(old[1], new[1]), name
        assert name.endswith("started") or not torch.equal(old[0], new[0]), name


def test_the_file_streams_as_torch_does_and_keeps_its_weights_beside_it(codec: TorchCodec, exported: Path) -> None:
    data = data_file_of(exported)
    assert data is not None
    assert exported.stat().st_size < 300_000 < data.bytes
    constants = onnx.load(exported, load_external_data=False).graph.initializer
    large = [tensor.name for tensor in constants if np.prod(tensor.dims) > 256]
    assert not [name for name in large if name.startswith(("val_", "side."))]
    encoder = OnnxEncoder.load(exported)
    assert (encoder.model.extra_outputs, encoder.model.fixed_frames) == (("latents",), None)
    pcm = speech_rows(ENCODER_ROWS, FRAMES, codec.spec).reshape(ENCODER_ROWS, -1)
    reference = TorchEncoder(codec.encoder, codec.spec)
    with encoder.session(ENCODER_ROWS) as ours, reference.session(ENCODER_ROWS) as theirs:
        codes = [ours.encode(part) for part in np.split(pcm, FRAMES // 20, axis=1)]
        assert (np.concatenate(codes, axis=2) == theirs.encode(pcm)).mean() > 0.999


def test_a_graph_for_a_fixed_step_reads_the_same_weights_and_states(
    codec: TorchCodec, exported: Path, tmp_path: Path
) -> None:
    data = data_file_of(exported)
    assert data is not None
    for name in (exported.name, data.file):
        shutil.copyfile(exported.parent / name, tmp_path / name)
    path = fix_frames(tmp_path / exported.name, tmp_path / "encoder.4frames.onnx", frames=4, spec=codec.spec)
    assert data_file_of(path) == data
    fixed, open_graph = OnnxEncoder.load(path), OnnxEncoder.load(exported)
    assert fixed.model.states == open_graph.model.states
    pcm = speech_rows(1, 8, codec.spec).reshape(1, -1)
    with fixed.session() as ours, open_graph.session() as theirs:
        assert np.array_equal(ours.encode(pcm), theirs.encode(pcm))


def test_a_clone_of_a_session_goes_on_alone(codec: TorchCodec, exported: Path) -> None:
    pcm = speech_rows(1, 6, codec.spec).reshape(1, -1)
    size = 3 * codec.spec.frame_size
    with OnnxEncoder.load(exported).session() as session:
        session.encode(pcm[:, :size])
        with session.clone() as twin:
            first = twin.encode(pcm[:, size:])
        assert np.array_equal(session.encode(pcm[:, size:]), first)
