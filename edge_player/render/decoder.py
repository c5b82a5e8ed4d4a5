"""The decoder as the player uses it: one stream, one frame at a time, state that stays sane."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from codec.spec import CodecSpec
from edge_player.errors import ModelMismatchError
from protocol.manifest import CodecIdentity

PRIME_FRAMES = 4
"""Times a first frame is decoded unheard after a cold start: 320 ms, in which a decoder's own onset dies away."""

_IDENTITY_FIELDS = ("name", "sample_rate", "frame_size", "num_layers", "codebook_size", "weights_sha256")


class FrameDecoder(Protocol):
    """One frame of codes to one frame of samples, with state from one to the next."""

    @property
    def spec(self) -> CodecSpec: ...

    def decode(self, codes: NDArray[np.int64]) -> NDArray[np.float32]:
        """Codes [num_layers], -1 in a suffix, to samples [frame_size]."""

    def reset(self) -> None:
        """Start afresh with the next frame."""


def prime(decoder: FrameDecoder, codes: NDArray[np.int64], frames: int = PRIME_FRAMES) -> None:
    """Bring a decoder that was just reset to where `codes` has been sounding for a while; what it makes is discarded.

    Only for those who come in the middle of a stream: its true first frame follows silence, as the fresh state does.
    """
    for _ in range(frames):
        decoder.decode(codes)


def check_identity(spec: CodecSpec, wanted: CodecIdentity) -> None:
    """Raise ModelMismatchError unless `spec` decodes the streams of `wanted`: same codec, same source weights."""
    for field in _IDENTITY_FIELDS:
        expected, got = getattr(wanted, field), getattr(spec, field)
        if expected != got:
            shown, mine = (f"{value[:12]}…" if field == "weights_sha256" else value for value in (expected, got))
            raise ModelMismatchError(
                f"The stream needs the decoder of {wanted.name} with {field} {shown}, this player has {spec.name} with "
                f"{mine}: give the matching decoder with --model",
                field=field,
                expected=expected,
                got=got,
            )


class OnnxFrameDecoder:
    """An ONNX decoder with one streaming state, warmed up. A context manager, not reusable; one thread at a time.

    `seconds` is the time spent inside `decode`, `frames` how many it made, priming and concealment included.
    `nonfinite_frames` counts frames with NaN or infinities: they become silence and the state starts afresh.
    """

    def __init__(
        self,
        *,
        codec: str = "nano",
        model: Path | None = None,
        provider: Literal["cpu", "cuda"] = "cpu",
        threads: int = 1,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Load the packaged decoder of `codec`, or `model`, whatever codec it holds. Raises codec.ModelError (76)."""
        from codec.load import load_decoder  # ONNX Runtime takes 0.2 s to import: not for --help and `devices`

        self._decoder = load_decoder(codec if model is None else None, model=model, provider=provider, threads=threads)
        self._session = self._decoder.session()
        self._session.warm_up()
        self._clock = clock
        self.frames = 0
        self.seconds = 0.0
        self.nonfinite_frames = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    @property
    def spec(self) -> CodecSpec:
        """Of the codec it decodes."""
        return self._decoder.spec

    @property
    def active_provider(self) -> str:
        """What really runs it: cpu or cuda."""
        return self._decoder.active_provider

    @property
    def requested_provider(self) -> str:
        """What was asked for."""
        return self._decoder.requested_provider

    @property
    def real_time_factor(self) -> float:
        """Seconds of work per second of audio; 0 before the first frame."""
        return self.seconds / (self.frames * self.spec.frame_duration_s) if self.frames else 0.0

    def decode(self, codes: NDArray[np.int64]) -> NDArray[np.float32]:
        """Codes [num_layers], -1 in a suffix, to samples [frame_size]."""
        started = self._clock()
        samples: NDArray[np.float32] = self._session.decode(codes[:, np.newaxis])[0]
        self.seconds += self._clock() - started
        self.frames += 1
        if not np.isfinite(samples).all():
            self.nonfinite_frames += 1
            self._session.reset()
            return np.zeros(self.spec.frame_size, dtype=np.float32)
        return samples

    def reset(self) -> None:
        """Start afresh with the next frame."""
        self._session.reset()
