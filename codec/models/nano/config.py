"""The shape of nano."""

from __future__ import annotations

from dataclasses import dataclass

PITCH_LAYER = 1
"""The layer of codes that carries the pitch: the second, so that one layer alone still has words."""


@dataclass(frozen=True, slots=True)
class PitchConfig:
    """The pitch tracker of the encoder, at the rate of the spectra."""

    lags: int = 144
    """Of the autocorrelation, spread evenly on a logarithmic scale over the range below."""
    low_bins: int = 40
    """Bins of the spectrum that it sees beside them: up to 1 kHz."""
    width: int = 160
    depth: int = 3
    expansion: int = 2
    kernel_size: int = 7
    lowest_hz: float = 55.0
    highest_hz: float = 520.0
    classes: int = 160
    cents: float = 25.0
    """Distance of two classes; the first is at `lowest_hz`."""


@dataclass(frozen=True, slots=True)
class NanoConfig:
    """Widths and depths, from the 100 Hz rate of the spectra down to the 12.5 Hz rate of the codes."""

    sample_rate: int = 16_000
    """Hertz."""
    hop: int = 160
    """Samples between spectral frames: 100 Hz."""
    window: int = 640
    """Samples in a spectral frame of the encoder."""
    synthesis_window: int = 320
    """Samples in a frame of the decoder's overlap-add."""
    lookahead: int = 320
    """Samples by which the decoder's frames lag the newest sample that the encoder has seen.

    How well the pitch of a moment can be told hangs on it: 33 cents off in the median without, 8 with 20 ms.
    """
    num_mels: int = 80
    num_layers: int = 16
    """Of codes; layer PITCH_LAYER is the pitch, the others quantise the latent."""
    codebook_size: int = 2048
    learned_dim: int = 32
    """Numbers of the latent that the network says; the rest is detail of the log-mel patch that it leaves out."""
    codebook_dim: int = 16
    """Numbers that a layer quantises: one band of the latent."""
    bands: tuple[int, ...] = (0, 0, 0, 1, 0, 1, 0, 2, 0, 1, 3, 0, 2, 1, 4)
    """The band of each layer but the pitch's: in turns, those of which most is left after the layers before."""
    widths: tuple[int, ...] = (192, 256, 320, 384)
    """Encoder channels at 100, 50, 25 and 12.5 Hz."""
    depths: tuple[int, ...] = (2, 2, 1, 1)
    """Encoder blocks at each rate."""
    decoder_widths: tuple[int, ...] = (384, 320, 256, 256)
    """Decoder channels at 12.5, 25, 50 and 100 Hz."""
    decoder_depths: tuple[int, ...] = (1, 1, 2, 4)
    expansion: int = 3
    """Width of a block's hidden layer, in channels."""
    kernel_size: int = 7
    attention_window: int = 16
    """Frames of 80 ms that the attention sees, the current one included."""
    head_dim: int = 64
    pitch: PitchConfig = PitchConfig()

    def __post_init__(self) -> None:
        """Raises ValueError where the bands do not fit the layers."""
        if len(self.bands) != self.num_layers - 1:
            raise ValueError(
                f"bands names the band of each layer but the pitch's, {self.num_layers - 1}; got {self.bands}"
            )

    @property
    def latent_dim(self) -> int:
        """Numbers a frame that the latent has: all bands."""
        return self.codebook_dim * (max(self.bands) + 1)

    @property
    def frame_size(self) -> int:
        """Samples per token frame."""
        return self.hop * self.hops

    @property
    def hops(self) -> int:
        """Spectral frames per token frame."""
        return 1 << (len(self.widths) - 1)

    @property
    def delay_samples(self) -> int:
        """The decoded signal lags the input by this much: the overlap that synthesis waits for, and the lookahead."""
        return self.synthesis_window - self.hop + self.lookahead
