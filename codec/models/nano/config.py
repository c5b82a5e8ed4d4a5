"""The shape of nano."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NanoConfig:
    """Widths and depths, from the 100 Hz rate of the spectra down to the 12.5 Hz rate of the codes."""

    sample_rate: int = 16_000
    """Hertz."""
    hop: int = 160
    """Samples between spectral frames: 100 Hz."""
    window: int = 640
    """Samples in a spectral frame; window - hop is the codec's delay."""
    num_mels: int = 80
    num_layers: int = 16
    codebook_size: int = 2048
    codebook_dim: int = 40
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

    @property
    def frame_size(self) -> int:
        """Samples per token frame."""
        return self.hop << (len(self.widths) - 1)

    @property
    def delay_samples(self) -> int:
        """The decoded signal lags the input by this much: the overlap that the synthesis window must wait for."""
        return self.window - self.hop

    @property
    def bins(self) -> int:
        """Bins of a spectral frame."""
        return self.window // 2 + 1
