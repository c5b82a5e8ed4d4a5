"""The decoder as the player uses it: one stream, a frame or a few at a time, state that stays sane."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from codec.packaged import packaged_folder
from codec.spec import CodecSpec
from edge_player.errors import ModelMismatchError
from protocol.entropy import EntropyTables, find_tables
from protocol.manifest import CodecIdentity
from protocol.service import PaceWatch

logger = logging.getLogger(__name__)

TRIAL_STEPS = 3
"""Steps timed when a decoder is loaded; the middle one counts."""

FASTER = (
    "take a smaller model (codec-export decoder --precision int8, then --model), more --threads, --frames-per-step 4 "
    "where the playout delay has room for it, or --provider cuda where there is a GPU"
)
"""What helps a decoder that is too slow."""

_IDENTITY_FIELDS = ("name", "sample_rate", "frame_size", "num_layers", "codebook_size", "weights_sha256")


class FrameDecoder(Protocol):
    """Frames of codes to frames of samples, with state from one to the next."""

    @property
    def spec(self) -> CodecSpec: ...

    def decode(self, codes: NDArray[np.int64]) -> NDArray[np.float32]:
        """Codes [num_layers, N], -1 in a suffix of the layers, to samples [N * frame_size]."""

    def reset(self) -> None:
        """Start afresh with the next frame."""


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
    `pace` says in the log when it falls behind.
    """

    def __init__(
        self,
        *,
        codec: str = "nano",
        model: Path | None = None,
        provider: Literal["auto", "cpu", "cuda"] = "cpu",
        threads: int = 1,
        frames_per_step: int = 1,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Load the packaged decoder of `codec`, or `model`, whatever codec it holds; time it for 1 frame and for
        `frames_per_step`. Raises codec.ModelError (76), codec.DeviceError (78)."""
        from codec.errors import ModelMissingError
        from codec.load import load_onnx_decoder  # ONNX Runtime takes 0.2 s to import: not for --help and `devices`

        if model is not None and not model.exists():
            raise ModelMissingError(f"Model not found at {model}: expected a decoder.onnx, or a folder that has one")
        name = codec if model is None else None
        self._decoder = load_onnx_decoder(name, model=model, provider=provider, threads=threads)
        require_open_graph(self._decoder.model.fixed_frames, self._decoder.model.path)
        self.tables = self._find_tables(model)
        """What entropy-coded streams of this decoder are read by; None where it came without."""
        self._session = self._decoder.session()
        self._clock = clock
        self.frames_per_step = frames_per_step
        self.frames = 0
        self.seconds = 0.0
        self.nonfinite_frames = 0
        self.pace = PaceWatch(
            lambda: f"decoding {self.spec.name} on {self.active_provider}",
            remedy=f"what is late is skipped; {FASTER}",
        )
        self._step_s = {frames: self._time_step(frames) for frames in {1, frames_per_step}}
        self._session.reset()
        logger.info(
            "decoder of %s on %s, %s: %.1f ms a frame of %.0f",
            self.spec.name,
            self.active_provider,
            self._decoder.model.precision,
            1000 * self.step_s(frames_per_step) / frames_per_step,
            1000 * self.spec.frame_duration_s,
        )
        self.pace.judge(self.step_s(frames_per_step) / (frames_per_step * self.spec.frame_duration_s))

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
        """What was asked for: auto, cpu or cuda."""
        return self._decoder.requested_provider

    @property
    def real_time_factor(self) -> float:
        """Seconds of work per second of audio; 0 before the first frame."""
        return self.seconds / (self.frames * self.spec.frame_duration_s) if self.frames else 0.0

    def step_s(self, frames: int) -> float:
        """Seconds that decoding so many frames at once takes here, 1 or `frames_per_step`; measured when loaded."""
        return self._step_s[frames]

    def decode(self, codes: NDArray[np.int64]) -> NDArray[np.float32]:
        """Codes [num_layers, N], -1 in a suffix of the layers, to samples [N * frame_size]."""
        frames = codes.shape[1]
        started = self._clock()
        samples: NDArray[np.float32] = self._session.decode(codes)[0]
        seconds = self._clock() - started
        self.seconds += seconds
        self.frames += frames
        self.pace.add(seconds, frames * self.spec.frame_duration_s)
        if not np.isfinite(samples).all():
            self.nonfinite_frames += frames
            self._session.reset()
            return np.zeros(frames * self.spec.frame_size, dtype=np.float32)
        return samples

    def reset(self) -> None:
        """Start afresh with the next frame."""
        self._session.reset()

    def _find_tables(self, model: Path | None) -> EntropyTables | None:
        """Beside `model` first: what was learned for it there goes before what the package has for its weights."""
        beside = [] if model is None else [model if model.is_dir() else model.parent]
        spec = self.spec
        return find_tables(
            [*beside, packaged_folder(spec.name)],
            weights_sha256=spec.weights_sha256,
            num_layers=spec.num_layers,
            codebook_size=spec.codebook_size,
        )

    def _time_step(self, frames: int) -> float:
        self._session.warm_up(frames)
        codes = np.zeros((self.spec.num_layers, frames), dtype=np.int64)
        durations = []
        for _ in range(TRIAL_STEPS):
            started = self._clock()
            self._session.decode(codes)
            durations.append(self._clock() - started)
        return statistics.median(durations)


def require_open_graph(fixed_frames: int | None, path: Path) -> None:
    """Raise codec.ModelError for a graph that takes several frames a step and no other number."""
    if fixed_frames not in (None, 1):
        from codec.errors import ModelError

        raise ModelError(
            f"{path} decodes {fixed_frames} frames a step and no other number; a stream needs the graph that was "
            "exported without --frames, or with --frames 1"
        )
