"""What every streaming layer, and both halves of both codecs, must do. Each test meets every subject of the list."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import Tensor

from codec.errors import FrameSizeError
from codec.models.half import EncoderHalf, Quantizer
from codec.models.layers import (
    CausalConv1d,
    CausalConvTranspose1d,
    OverlapAdd,
    State,
    StreamingModule,
    StreamingSequential,
    WindowedAttention,
    attend_to_everything,
    child_state,
    prefixed,
)
from codec.models.nano import Nano, NanoConfig
from codec.models.nano.blocks import AttentionBlock, ConvNeXtBlock
from codec.models.nano.config import PitchConfig
from codec.models.nano.excitation import Harmonics
from codec.models.nano.frontend import LogMel, Magnitudes
from codec.models.nano.head import ShapedExcitation
from codec.models.nano.pitch import PitchTracker
from codec.models.qwen3 import Qwen3Config, Qwen3Tokenizer
from codec.models.qwen3.lively import lively_weights, small_document
from codec.models.qwen3.weights import build

SMALL = NanoConfig(
    widths=(32, 32, 64, 64),
    decoder_widths=(64, 64, 32, 32),
    head_dim=32,
    num_layers=4,
    codebook_size=32,
    codebook_dim=8,
    bands=(0, 1, 0),
    learned_dim=8,
    pitch=PitchConfig(lags=16, low_bins=8, width=16, depth=2, kernel_size=3),
)


def small_nano() -> Nano:
    """A nano of toy size with codebooks that say something."""
    model = Nano(SMALL).eval()
    model.quantizer.sound.codebooks.normal_()
    return model


@cache
def small_release() -> tuple[Qwen3Config, dict[str, Tensor]]:
    """The configuration and the weights of a narrow qwen3-12hz."""
    config = Qwen3Config.from_dict(small_document())
    return config, lively_weights(config)


def small_qwen3() -> Qwen3Tokenizer:
    """A qwen3-12hz of toy size, with weights of its own."""
    config, weights = small_release()
    return build(config, {name: tensor.clone() for name, tensor in weights.items()})


class Latents(StreamingModule):
    """An encoder up to what is quantised: continuous, so that it can be compared by value."""

    def __init__(self, encoder: StreamingModule, quantizer: Quantizer) -> None:
        super().__init__()
        self.both = EncoderHalf(encoder, quantizer)

    def initial_state(self, batch_size: int) -> State:
        return self.both.initial_state(batch_size)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        (_, latents), after = self.both(x, state)
        return latents.transpose(1, 2), after


def nano_latents() -> Latents:
    model = small_nano()
    return Latents(model.encoder, model.quantizer)


def qwen3_latents() -> Latents:
    model = small_qwen3()
    return Latents(model.encoder, model.encoder_quantizer)


def hertz(octaves: Tensor) -> Tensor:
    """Pitch around that of a voice, of numbers around zero.

    In sixteenths: as out of the codec's table, the same bits in any chunk. An exponential has others where a processor
    takes many numbers at once, and a phase adds up what its pitch is off.
    """
    return torch.round(16.0 * 140.0 * torch.exp2(0.3 * octaves)) / 16.0


class Decoding(StreamingModule):
    """nano's decoder; x are latents [B, latent_dim + hops, N], the pitch in octaves around that of a voice."""

    def __init__(self) -> None:
        super().__init__()
        self.decoder = small_nano().decoder

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        sound, octaves = torch.split(x, [SMALL.latent_dim, SMALL.hops], dim=1)
        pcm, after = self.decoder(torch.cat([sound, hertz(octaves)], dim=1), child_state(state, "decoder"))
        return pcm, prefixed("decoder", after)


class Voice(StreamingModule):
    """Harmonics of a pitch [B, 1, T], in octaves around that of a voice."""

    def __init__(self) -> None:
        super().__init__()
        self.harmonics = Harmonics(hop=16, sample_rate=16_000)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        wave, after = self.harmonics(hertz(x[:, 0]), child_state(state, "harmonics"))
        return wave, prefixed("harmonics", after)


class ShapedVoice(StreamingModule):
    """The head's synthesis; x [B, 3 * bins + 1, T] are shapes and the pitch."""

    def __init__(self) -> None:
        super().__init__()
        self.synthesis = ShapedExcitation(size=32, hop=16, sample_rate=16_000)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        pcm, after = self.synthesis(0.5 * x[:, 1:].transpose(1, 2), child_state(state, "synthesis"), hertz(x[:, 0]))
        return pcm, prefixed("synthesis", after)


class Spectra(StreamingModule):
    """Log-mel of a waveform, as the encoder sees it."""

    def __init__(self) -> None:
        super().__init__()
        self.magnitudes = Magnitudes(window=640, hop=160)
        self.mel = LogMel(sample_rate=16_000, window=640, num_mels=20)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        magnitudes, after = self.magnitudes(x, child_state(state, "magnitudes"))
        return self.mel(magnitudes), prefixed("magnitudes", after)


class Tracked(StreamingModule):
    """What the pitch tracker says of magnitudes x.abs() [B, bins, T]."""

    def __init__(self) -> None:
        super().__init__()
        self.tracker = PitchTracker(SMALL.pitch, window=64, sample_rate=16_000)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        scores, after = self.tracker(x.abs().transpose(1, 2), child_state(state, "tracker"))
        return scores.transpose(1, 2), prefixed("tracker", after)


class TimeFirst(StreamingModule):
    """A layer that has [B, T, C], shown as [B, C, T] like the others."""

    def __init__(self, layer: StreamingModule) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        y, after = self.layer(x.transpose(1, 2), child_state(state, "layer"))
        return (y.transpose(1, 2) if y.dim() == 3 else y), prefixed("layer", after)


# Name -> (layer, channels or None for a waveform [B, T], input samples per step, output samples per step).
Subject = tuple[Callable[[], StreamingModule], int | None, int, int]
SUBJECTS: dict[str, Subject] = {
    "convolution": (lambda: CausalConv1d(4, 6, 5), 4, 1, 1),
    "dilated convolution": (lambda: CausalConv1d(4, 6, 3, dilation=3), 4, 1, 1),
    "grouped convolution": (lambda: CausalConv1d(4, 4, 7, groups=4, bias=False), 4, 1, 1),
    "strided convolution": (lambda: CausalConv1d(4, 6, 4, stride=2), 4, 2, 1),
    "convolution without context": (lambda: CausalConv1d(4, 6, 2, stride=2), 4, 2, 1),
    "convolution with replicated start": (lambda: CausalConv1d(4, 4, 4, stride=2, start="replicate"), 4, 2, 1),
    "transposed convolution": (lambda: CausalConvTranspose1d(4, 6, 6, stride=3), 4, 1, 3),
    "grouped transposed convolution": (lambda: CausalConvTranspose1d(4, 4, 4, stride=2, groups=4, bias=False), 4, 1, 2),
    "transposed convolution without overlap": (lambda: CausalConvTranspose1d(4, 6, 2, stride=2), 4, 1, 2),
    "attention": (lambda: TimeFirst(WindowedAttention(8, num_heads=2, head_dim=4, window=5)), 8, 1, 1),
    "attention with wide heads": (
        lambda: TimeFirst(WindowedAttention(6, num_heads=3, head_dim=4, window=3, bias=True)),
        6,
        1,
        1,
    ),
    "overlap-add": (lambda: TimeFirst(OverlapAdd(size=8, hop=2)), 8, 1, 2),
    "magnitudes and log-mel": (Spectra, None, 160, 1),
    "harmonics": (Voice, 1, 1, 16),
    "shaped excitation": (ShapedVoice, 3 * 17 + 1, 1, 16),
    "pitch tracker": (Tracked, 33, 1, 1),
    "ConvNeXt block": (lambda: ConvNeXtBlock(8, kernel_size=7, expansion=2), 8, 1, 1),
    "attention block": (lambda: AttentionBlock(8, head_dim=4, window=6), 8, 1, 1),
    "sequence": (lambda: StreamingSequential(CausalConv1d(4, 4, 3), torch.nn.GELU(), CausalConv1d(4, 4, 3)), 4, 1, 1),
    "nano encoder": (nano_latents, None, SMALL.frame_size, 1),
    "nano decoder": (Decoding, SMALL.latent_dim + SMALL.hops, 1, SMALL.frame_size),
    "qwen3 encoder": (qwen3_latents, None, 1920, 1),
    "qwen3 decoder": (lambda: small_qwen3().decoder, 32, 1, 1920),
}
Made = tuple[StreamingModule, Callable[[int, int], Tensor], int, int]
"""A layer in evaluation mode, a maker of inputs (rows, steps), and its samples of a step, in and out."""
STEPS = 24
TOLERANCE = 1e-4


@pytest.fixture(params=SUBJECTS, ids=[name.replace(" ", "-") for name in SUBJECTS])
def subject(request: pytest.FixtureRequest) -> Made:
    """Each of the subjects in turn."""
    build, channels, step_in, step_out = SUBJECTS[request.param]
    torch.manual_seed(7)
    layer = build().eval()
    layer.requires_grad_(False)
    if not request.param.startswith("qwen3"):  # whose weights are lively as they are
        for parameter in layer.parameters():
            # Norms begin at one and scales nearly at zero: with noise on top, every weight has a say.
            parameter.add_(0.1 * torch.randn_like(parameter))

    def make(rows: int, steps: int) -> Tensor:
        shape = (rows, steps * step_in) if channels is None else (rows, channels, steps * step_in)
        return torch.randn(shape) * (0.1 if channels is None else 1.0)

    return layer, make, step_in, step_out


def in_chunks(layer: StreamingModule, x: Tensor, step_in: int, sizes: list[int]) -> Tensor:
    """Feed x in chunks of the given numbers of steps, over and over, until it is used up."""
    state = layer.initial_state(x.shape[0])
    outputs, at, turn = [], 0, 0
    while at < x.shape[-1]:
        chunk = x[..., at : at + sizes[turn % len(sizes)] * step_in]
        y, state = layer(chunk, state)
        outputs.append(y)
        at += chunk.shape[-1]
        turn += 1
    return torch.cat(outputs, dim=-1)


@pytest.mark.parametrize("sizes", [[1], [2], [5, 1, 3], [7], [23, 1]], ids=str)
def test_streamed_equals_one_pass_whatever_the_chunking(subject: Made, sizes: list[int]) -> None:
    layer, make, step_in, step_out = subject
    x = make(2, STEPS)
    whole = layer.offline(x)
    assert whole.shape[-1] == STEPS * step_out
    torch.testing.assert_close(in_chunks(layer, x, step_in, sizes), whole, atol=TOLERANCE, rtol=0)


def test_the_future_has_no_influence(subject: Made) -> None:
    layer, make, step_in, step_out = subject
    x, other = make(1, STEPS), make(1, STEPS)
    cut = STEPS // 2
    changed = torch.cat([x[..., : cut * step_in], other[..., cut * step_in :]], dim=-1)
    before, after = layer.offline(x), layer.offline(changed)
    torch.testing.assert_close(before[..., : cut * step_out], after[..., : cut * step_out], atol=1e-6, rtol=0)
    assert not torch.allclose(before[..., cut * step_out :], after[..., cut * step_out :], atol=1e-3)


def all_rows(value: bool, rows: int = 2) -> Tensor:
    return torch.full((rows,), value)


def test_a_reset_row_goes_on_as_a_new_stream_and_its_neighbour_as_before(subject: Made) -> None:
    layer, make, *_ = subject
    past, x = make(2, 9), make(2, 6)
    _, state = layer(past, layer.initial_state(2))
    undisturbed, _ = layer(x, state)
    y, _ = layer.step(x, state, active=all_rows(True), reset=torch.tensor([True, False]))
    torch.testing.assert_close(y[:1], layer.offline(x[:1]), atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(y[1:], undisturbed[1:], atol=TOLERANCE, rtol=0)


def test_the_state_of_an_inactive_row_is_untouched_bit_for_bit(subject: Made) -> None:
    layer, make, *_ = subject
    _, state = layer(make(2, 5), layer.initial_state(2))
    poison = make(2, 4)
    poison[0] = float("nan")
    _, after = layer.step(poison, state, active=torch.tensor([False, True]), reset=all_rows(False))
    assert set(after) == set(state)
    for name in state:
        assert torch.equal(after[name][0], state[name][0]), name
    _, alone = layer(poison[1:], {name: value[1:] for name, value in state.items()})
    for name in state:
        torch.testing.assert_close(after[name][1:], alone[name], atol=TOLERANCE, rtol=0, msg=name)


def test_rows_may_stand_at_different_places(subject: Made) -> None:
    layer, make, step_in, step_out = subject
    x = make(2, 10)
    whole = layer.offline(x)
    state = layer.initial_state(2)
    outputs: list[list[Tensor]] = [[], []]
    at = [0, 0]
    # Row 0 is active in every turn, row 1 only in every third and then alone.
    for turn in range(26):
        active = [turn % 3 != 2, turn % 3 == 2]
        active = [a and at[row] < 10 for row, a in enumerate(active)]
        if not any(active):
            continue
        chunk = torch.stack([x[row, ..., min(at[row], 9) * step_in :][..., :step_in] for row in (0, 1)])
        y, state = layer.step(chunk, state, active=torch.tensor(active), reset=all_rows(False))
        for row in (0, 1):
            if active[row]:
                outputs[row].append(y[row])
                at[row] += 1
    for row in (0, 1):
        got = torch.cat(outputs[row], dim=-1)
        torch.testing.assert_close(got, whole[row, ..., : at[row] * step_out], atol=TOLERANCE, rtol=0)
        assert at[row] >= 8


def test_a_row_does_not_hear_its_neighbours(subject: Made) -> None:
    layer, make, *_ = subject
    x = make(3, 6)
    together = layer.offline(x)
    for row in range(3):
        torch.testing.assert_close(layer.offline(x[row : row + 1]), together[row : row + 1], atol=TOLERANCE, rtol=0)


def test_nan_in_one_row_is_gone_after_its_reset_and_never_reaches_another(subject: Made) -> None:
    layer, make, *_ = subject
    bad = make(2, 3)
    bad[0] = float("nan")
    y, state = layer(bad, layer.initial_state(2))
    assert torch.isfinite(y[1]).all()
    x = make(2, 6)
    y, _ = layer.step(x, state, active=all_rows(True), reset=torch.tensor([True, False]))
    torch.testing.assert_close(y[:1], layer.offline(x[:1]), atol=TOLERANCE, rtol=0)
    assert torch.isfinite(y).all()


def test_the_layers_refuse_a_remainder_of_their_stride() -> None:
    layer = CausalConv1d(2, 2, 4, stride=2)
    with pytest.raises(FrameSizeError, match="multiples of its stride of 2"):
        layer(torch.zeros(1, 2, 3), layer.initial_state(1))


def test_kernels_that_would_leave_holes_are_refused() -> None:
    with pytest.raises(ValueError, match="skips samples"):
        CausalConv1d(2, 2, 2, stride=3)
    with pytest.raises(ValueError, match="holes"):
        CausalConvTranspose1d(2, 2, 2, stride=3)
    with pytest.raises(ValueError, match="multiple of the hop"):
        OverlapAdd(size=5, hop=2)
    with pytest.raises(ValueError, match="nothing to attend to"):
        WindowedAttention(8, num_heads=2, head_dim=4, window=1)


@pytest.mark.parametrize(
    "layer",
    [
        CausalConv1d(4, 6, 5),
        CausalConv1d(4, 6, 4, stride=2, bias=False, start="replicate"),
        CausalConvTranspose1d(4, 6, 6, stride=3),
        CausalConvTranspose1d(4, 6, 9, stride=3, bias=False),
        CausalConvTranspose1d(4, 6, 2, stride=2),
    ],
    ids=str,
)
def test_a_product_is_the_convolution_that_it_stands_for(
    layer: StreamingModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a CPU torch multiplies matrices; in a graph, and so in every export, the same layers are convolutions."""
    x = torch.randn(2, 4, 10)
    product, state = layer(x, layer.initial_state(2))
    monkeypatch.setattr("codec.models.layers.conv._on_cpu", lambda _: False)
    convolution, same = layer(x, layer.initial_state(2))
    torch.testing.assert_close(product, convolution, atol=1e-5, rtol=0)
    for name, value in state.items():
        torch.testing.assert_close(value, same[name], atol=1e-5, rtol=0)


def test_attention_forgets_what_is_older_than_its_window() -> None:
    torch.manual_seed(3)
    layer = WindowedAttention(8, num_heads=2, head_dim=4, window=5)
    x = torch.randn(1, 12, 8)
    changed = x.clone()
    changed[:, 0] += 1.0
    moved = (layer.offline(changed) - layer.offline(x)).abs().amax(dim=(0, 2)) > 1e-6
    assert moved.tolist() == [True] * 5 + [False] * 7


def test_attention_without_a_window_forgets_nothing_in_chunks_or_at_once() -> None:
    torch.manual_seed(3)
    windowed = WindowedAttention(8, num_heads=2, head_dim=4, window=5)
    x = torch.randn(2, 12, 8)
    within = windowed.offline(x)
    attend_to_everything(windowed)
    layer = TimeFirst(windowed)
    whole = layer.offline(x.transpose(1, 2))
    torch.testing.assert_close(whole.transpose(1, 2)[:, :5], within[:, :5], atol=TOLERANCE, rtol=0)
    assert float((whole.transpose(1, 2) - within)[:, 5:].detach().abs().amin(dim=(0, 2)).max()) > 1e-4
    for sizes in ([1], [5, 1, 3], [11, 1]):
        torch.testing.assert_close(in_chunks(layer, x.transpose(1, 2), 1, sizes), whole, atol=TOLERANCE, rtol=0)


def test_rows_without_a_window_stand_at_different_places_and_are_reset_alone() -> None:
    torch.manual_seed(3)
    layer = WindowedAttention(8, num_heads=2, head_dim=4, window=None)
    x = torch.randn(2, 12, 8)
    whole = layer.offline(x)
    state = layer.initial_state(2)
    # Row 0 hears all of x; row 1 hears its beginning, is left out, begins anew, and goes on from there.
    for first, last, active, reset in (
        (0, 3, True, False),
        (3, 8, False, False),
        (8, 9, True, True),
        (9, 12, True, False),
    ):
        chunk = x[:, first:last].clone()
        if not active:
            chunk[1] = float("nan")
        y, state = layer.step(chunk, state, active=torch.tensor([True, active]), reset=torch.tensor([False, reset]))
        torch.testing.assert_close(y[0], whole[0, first:last], atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(y[1:], layer.offline(x[1:, 8:])[:, 1:], atol=TOLERANCE, rtol=0)
    assert state["valid"].tolist() == [12, 4]


def test_a_state_without_a_window_is_no_longer_than_its_oldest_row() -> None:
    layer = WindowedAttention(8, num_heads=2, head_dim=4, window=None)
    state = layer.initial_state(2)
    for _ in range(3):
        _, state = layer.step(torch.randn(2, 6, 8), state, active=all_rows(True), reset=all_rows(True))
        _, state = layer.step(torch.randn(2, 2, 8), state, active=all_rows(True), reset=all_rows(False))
    assert state["keys"].shape[2] == 8
