"""What a stream is to be, before anything of it runs: names, layers, rates, and the manifest that says so."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from codec import CodecSpec
from gateway.config import StreamConfig
from gateway.silence_gate import preroll_frames
from protocol.link import LinkProfile
from protocol.manifest import CodecIdentity, StreamManifest, Tier

__all__ = ["StreamPlan"]


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """One epoch of one stream. entropy: fingerprint of the tables its codes are coded by; None: they are packed."""

    config: StreamConfig
    profile: LinkProfile
    spec: CodecSpec
    tiers: tuple[Tier, ...]
    gateway_id: str
    epoch: int
    entropy: str | None = None

    @property
    def layers(self) -> int:
        """On all tiers together."""
        return sum(tier.num_layers for tier in self.tiers)

    @property
    def silence(self) -> bool:
        """Whether nothing is sent while nobody speaks."""
        return self.config.silence == "on"

    @property
    def preroll_frames(self) -> int:
        """Frames before speech that go out with it, where pauses are silent."""
        return preroll_frames(self.profile.frames_per_packet)

    @property
    def playout_delay_ms(self) -> int:
        """Of the profile, and as much more as the frames before speech come late where no packet waits for them."""
        late_frames = self.preroll_frames - (self.profile.frames_per_packet - 1) if self.silence else 0
        return self.profile.playout_delay_ms + round(max(0, late_frames) * self.spec.frame_duration_s * 1000)

    def manifest(self, started_at: float) -> StreamManifest:
        """What players are told. started_at: UTC of the first sample, seconds since 1970."""
        spec = self.spec
        return StreamManifest(
            stream=self.config.name,
            codec=CodecIdentity(**asdict(spec)),
            tiers=self.tiers,
            frames_per_packet=self.profile.frames_per_packet,
            epoch=self.epoch,
            started_at_ms=round(started_at * 1000),
            first_frame=0,
            gateway_id=self.gateway_id,
            qos=self.profile.qos,
            playout_delay_ms=self.playout_delay_ms,
            title=self.config.title,
            language=self.config.language,
            entropy=self.entropy,
            silence=self.silence,
        )
