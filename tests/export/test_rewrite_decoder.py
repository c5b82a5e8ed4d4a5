"""Qwen's decoder over rows against the decoder it is made of, at the narrow configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from codec.models.factory import TorchCodec, load_torch_codec
from codec.models.half import DecoderHalf
from codec.models.layers import CausalConv1d, CausalConvTranspose1d, State
from codec.models.qwen3.decoder import SnakeBeta
from export.rewrite.decoder import RowSnake
from export.rewrite.halves import DecoderHalfRows, rewritten
from export.rewrite.rows import RowConv, RowConvToOne, RowConvTranspose
from export.wrappers import StatefulGraph

TOLERANCE = 1e-4
STEPS = (1, 3, 25, 25, 25, 1, 5)
"""More frames than the attention sees, in steps of several lengths."""


@pytest.fixture(scope="module")
def qwen3(small_qwen3: Path) -> TorchCodec:
    return load_torch_codec("qwen3-12hz", small_qwen3)


@pytest.fixture(scope="module")
def rows(qwen3: TorchCodec) -> DecoderHalfRows:
    half = rewritten(qwen3.decoder)
    assert isinstance(half, DecoderHalfRows)
    return half


def codes(rows: int, frames: int, seed: int) -> Tensor:
    return torch.randint(2048, (rows, 16, frames), generator=torch.Generator().manual_seed(seed))


def largest_difference(one: State, other: State) -> float:
    return max(float((one[name].double() - other[name].double()).abs().max()) for name in one)


def test_a_half_without_a_faster_form_stays_as_it_is(small_codec: TorchCodec) -> None:
    assert rewritten(small_codec.decoder) is small_codec.decoder
    assert rewritten(small_codec.encoder) is small_codec.encoder


@torch.inference_mode()
def test_states_have_the_names_order_and_shapes_of_the_decoder_they_come_from(
    qwen3: TorchCodec, rows: DecoderHalfRows
) -> None:
    ours, theirs = rows.initial_state(2), qwen3.decoder.initial_state(2)
    assert list(ours) == list(theirs)
    assert all(ours[name].shape == theirs[name].shape for name in theirs)
    assert all(ours[name].dtype == theirs[name].dtype for name in theirs)


@torch.inference_mode()
def test_a_stream_gives_the_same_audio_and_the_same_states(qwen3: TorchCodec, rows: DecoderHalfRows) -> None:
    ours, theirs = rows.initial_state(2), qwen3.decoder.initial_state(2)
    for seed, frames in enumerate(STEPS):
        data = codes(2, frames, seed)
        (got,), ours = rows(data, ours)
        (truth,), theirs = qwen3.decoder(data, theirs)
        assert truth.std() > 0.05
        assert (got - truth).abs().max() < TOLERANCE
        assert largest_difference(ours, theirs) < TOLERANCE


@torch.inference_mode()
def test_a_stream_begun_by_one_form_goes_on_in_the_other(qwen3: TorchCodec, rows: DecoderHalfRows) -> None:
    _, state = rows(codes(1, 25, 1), rows.initial_state(1))
    (truth,), _ = qwen3.decoder(codes(1, 4, 2), state)
    (got,), _ = rows(codes(1, 4, 2), state)
    assert (got - truth).abs().max() < TOLERANCE


@torch.inference_mode()
def test_rows_rest_and_begin_anew_as_they_do_by_choosing_between_states(
    qwen3: TorchCodec, rows: DecoderHalfRows
) -> None:
    graphs = [StatefulGraph(half).eval() for half in (qwen3.decoder, rows)]
    states = [[value.new_zeros((3, *value.shape[1:])) for value in graph.initial.values()] for graph in graphs]
    generator = torch.Generator().manual_seed(4)
    for seed, frames in enumerate((*STEPS, 2, 1, 4)):
        active, reset = torch.rand(3, generator=generator) < 0.7, torch.rand(3, generator=generator) < 0.2
        results = [
            graph(codes(3, frames, seed), active, reset, *state) for graph, state in zip(graphs, states, strict=True)
        ]
        states = [list(result[1:]) for result in results]
        if active.any():
            assert (results[0][0] - results[1][0])[active].abs().max() < TOLERANCE


@torch.inference_mode()
def test_a_row_that_is_not_active_keeps_its_state_bit_for_bit(rows: DecoderHalfRows) -> None:
    _, before = rows(codes(2, 10, 0), rows.initial_state(2))
    active = torch.tensor([True, False])
    _, after = rows.masked(codes(2, 3, 1), before, active=active, reset=torch.zeros(2, dtype=torch.bool))
    for name, value in before.items():
        assert torch.equal(after[name][1], value[1]), name
        if value.dtype.is_floating_point:
            assert not torch.equal(after[name][0], value[0]), name


def test_the_weights_that_are_rewritten_are_copies(qwen3: TorchCodec) -> None:
    assert isinstance(qwen3.decoder, DecoderHalf)
    before = {name: value.clone() for name, value in qwen3.decoder.decoder.state_dict().items()}
    half = rewritten(qwen3.decoder)
    assert isinstance(half, DecoderHalfRows)
    for name, parameter in half.decoder.waveform.named_parameters():
        assert name
        parameter.data.zero_()
    for name, value in qwen3.decoder.decoder.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize(("kernel", "dilation"), [(1, 1), (3, 1), (7, 1), (7, 3), (7, 9)])
@torch.inference_mode()
def test_a_convolution_is_a_product_of_rows(kernel: int, dilation: int) -> None:
    torch.manual_seed(kernel + dilation)
    layer, offset = CausalConv1d(6, 5, kernel, dilation=dilation), torch.randn(6)
    _compare(layer, RowConv(layer, offset=offset), offset, (1, 2, 30))


@torch.inference_mode()
def test_a_convolution_to_one_channel_is_a_shifted_sum() -> None:
    torch.manual_seed(0)
    layer, offset = CausalConv1d(6, 1, 7), torch.randn(6)
    _compare(layer, RowConvToOne(layer, offset=offset), offset, (1, 3, 20))


@pytest.mark.parametrize("kernel", [4, 8])
@torch.inference_mode()
def test_a_transposed_convolution_is_one_or_two_products_of_rows(kernel: int) -> None:
    torch.manual_seed(kernel)
    layer, offset = CausalConvTranspose1d(6, 5, kernel, stride=4), torch.randn(6)
    _compare(layer, RowConvTranspose(layer, offset=offset), offset, (1, 2, 9))


def _compare(
    layer: CausalConv1d | CausalConvTranspose1d,
    over_rows: RowConv | RowConvToOne | RowConvTranspose,
    offset: Tensor,
    lengths: tuple[int, ...],
) -> None:
    """Both over pieces of `lengths`; the rows' input comes without `offset`."""
    theirs, ours = layer.initial_state(2), over_rows.initial_state(2)
    assert {name: value.shape for name, value in theirs.items()} == {name: v.shape for name, v in ours.items()}
    for length in lengths:
        x = torch.randn(2, 6, length)
        truth, theirs = layer(x, theirs)
        got, ours = over_rows(x.transpose(1, 2) - offset, ours)
        torch.testing.assert_close(got.transpose(1, 2), truth, atol=1e-5, rtol=1e-5)
        for name, value in theirs.items():
            torch.testing.assert_close(ours[name], value, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_a_snake_over_rows_lacks_its_offset_and_nothing_else() -> None:
    torch.manual_seed(0)
    snake = SnakeBeta(7)
    snake.frequency.copy_(torch.rand(7, 1) * 8)
    snake.gain.copy_(torch.randn(7, 1))
    over_rows = RowSnake(snake)
    x = 3 * torch.randn(2, 7, 50)
    got = over_rows(x.transpose(1, 2)) + over_rows.offset
    torch.testing.assert_close(got.transpose(1, 2), snake(x), atol=1e-5, rtol=1e-5)


def test_layers_of_another_kind_are_refused() -> None:
    with pytest.raises(ValueError, match="plain causal convolution"):
        RowConv(CausalConv1d(4, 4, 4, stride=2))
    with pytest.raises(ValueError, match="one or two strides"):
        RowConvTranspose(CausalConvTranspose1d(4, 4, 9, stride=3))
    with pytest.raises(ValueError, match="to one channel"):
        RowConvToOne(CausalConv1d(4, 2, 7), offset=torch.zeros(4))
