"""Fakes of the player's tests: a clock that stands still, a decoder that shows what it was fed, packets by index."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from codec.spec import CodecSpec
from edge_player.buffer.jitter_buffer import JitterBuffer, JitterConfig
from edge_player.intake.tiers import TierMap
from edge_player.render.decoder import FrameDecoder, OnnxFrameDecoder
from protocol.epoch import epoch_low7
from protocol.manifest import CodecIdentity, StreamManifest, Tier
from protocol.packet import TokenPacket
from protocol.sequence import to_serial
from protocol.service import PaceWatch

LAYERS = 4
FRAME_S = 0.08
EPOCH = 0x1234_5678_9ABC_DE05


@dataclass
class FakeClock:
    """Seconds that pass when told so."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> float:
        self.now += seconds
        return self.now


@dataclass
class IdentityDecoder:
    """Every sample of a frame is the frame's first code / 1000: whose fault a zero is can be seen."""

    spec: CodecSpec
    decoded: list[int] = field(default_factory=list)
    layers: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    resets: int = 0

    def decode(self, codes: NDArray[np.int64]) -> NDArray[np.float32]:
        assert codes.shape[0] == self.spec.num_layers
        assert (codes[0] >= 0).all(), "a frame without layer 0 is for the concealer"
        self.steps.append(codes.shape[1])
        self.decoded += [int(code) for code in codes[0]]
        self.layers += [int(count) for count in (codes >= 0).sum(axis=0)]
        return np.repeat((codes[0] / 1000.0).astype(np.float32), self.spec.frame_size)

    def reset(self) -> None:
        self.resets += 1


def codes_of(frame: int) -> int:
    """The code that every layer of a frame carries in these tests: never 0, so that silence is seen."""
    return 100 + frame % 800


def build_packet(first_frame: int, frames: int = 1, *, epoch: int = EPOCH, layers: int = LAYERS) -> TokenPacket:
    row = np.array([codes_of(first_frame + offset) for offset in range(frames)], dtype=np.uint16)
    return TokenPacket(epoch_low7(epoch), to_serial(first_frame), np.tile(row, (layers, 1)))


@pytest.fixture
def spec() -> CodecSpec:
    return CodecSpec("toy", 16000, 1280, LAYERS, 1024, 320, "ab" * 32)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def decoder(spec: CodecSpec) -> IdentityDecoder:
    return IdentityDecoder(spec)


@pytest.fixture
def make_packet() -> Callable[..., TokenPacket]:
    return build_packet


@pytest.fixture
def code() -> Callable[[int], int]:
    return codes_of


@pytest.fixture
def make_manifest(spec: CodecSpec) -> Callable[..., StreamManifest]:
    def build(
        epoch: int = EPOCH,
        *,
        frames_per_packet: int = 1,
        delay_ms: int = 160,
        tiers: tuple[tuple[int, int], ...] = ((0, LAYERS),),
        first_frame: int = 0,
        started_at_ms: int = 5_000_000,
        weights_sha256: str | None = None,
        key_id: str | None = None,
        silence: bool = False,
    ) -> StreamManifest:
        return StreamManifest(
            stream="lobby",
            codec=CodecIdentity(**asdict(spec) | {"weights_sha256": weights_sha256 or spec.weights_sha256}),
            tiers=tuple(Tier(first, count) for first, count in tiers),
            frames_per_packet=frames_per_packet,
            epoch=epoch,
            started_at_ms=started_at_ms,
            gateway_id="gw-1",
            qos=0,
            playout_delay_ms=delay_ms,
            first_frame=first_frame,
            key_id=key_id,
            silence=silence,
        )

    return build


@pytest.fixture
def make_buffer() -> Callable[..., JitterBuffer]:
    def build(*, delay_s: float = 0.16, frames_per_packet: int = 1, first_frame: int = 0) -> JitterBuffer:
        config = JitterConfig(frame_duration_s=FRAME_S, playout_delay_s=delay_s, frames_per_packet=frames_per_packet)
        return JitterBuffer(config, TierMap.single(LAYERS), first_frame=first_frame)

    return build


@pytest.fixture
def whole_decoder(decoder: FrameDecoder) -> OnnxFrameDecoder:
    """The identity decoder with the figures that the pipeline reports."""
    for name, value in (
        ("active_provider", "cpu"), ("requested_provider", "cpu"), ("real_time_factor", 0.0), ("nonfinite_frames", 0),
        ("frames_per_step", 1), ("step_s", lambda frames: 0.0), ("pace", PaceWatch(lambda: "decoding", remedy="")),
        ("tables", None),
    ):  # fmt: skip
        setattr(decoder, name, value)
    return cast(OnnxFrameDecoder, decoder)
