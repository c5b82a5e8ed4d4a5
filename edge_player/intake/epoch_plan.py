"""From a manifest to what it takes to play its epoch here, or to the reason why that cannot be."""

from __future__ import annotations

import logging

from codec.spec import CodecSpec
from edge_player.buffer.capture_clock import CaptureClock
from edge_player.buffer.jitter_values import JitterConfig
from edge_player.buffer.timeline import EpochPlan
from edge_player.errors import ModelMismatchError
from edge_player.intake.receiver_values import ReceiverConfig
from edge_player.intake.tiers import TierMap
from edge_player.render.decoder import check_identity
from protocol.entropy import TABLES_NAME, EntropyTables
from protocol.manifest import StreamManifest

logger = logging.getLogger(__name__)


def check_playable(manifest: StreamManifest, spec: CodecSpec, tables: EntropyTables | None) -> None:
    """Raises ModelMismatchError where a decoder of `spec` with these entropy tables cannot play this stream."""
    check_identity(spec, manifest.codec)
    got = None if tables is None else tables.fingerprint
    if manifest.entropy is not None and manifest.entropy != got:
        mine = f"has no tables of {spec.name}" if got is None else f"has {got}"
        raise ModelMismatchError(
            f"The stream {manifest.stream} is entropy-coded by the tables {manifest.entropy}, this player {mine}: put "
            f"the gateway's {TABLES_NAME} beside the decoder, or start the gateway with --entropy off",
            field="entropy",
            expected=manifest.entropy,
            got=got,
        )
    if manifest.key_id is not None:
        raise ModelMismatchError(
            f"The stream {manifest.stream} is sealed with the key {manifest.key_id}: this player has no keys",
            field="key_id",
            expected=manifest.key_id,
            got=None,
        )


def plan_epoch(manifest: StreamManifest, spec: CodecSpec, config: ReceiverConfig) -> EpochPlan:
    """How this player plays the epoch."""
    delay_ms = manifest.playout_delay_ms if config.playout_delay_ms is None else config.playout_delay_ms
    delay_ms += config.playout_offset_ms
    if delay_ms < 0:
        logger.warning("stream %s: its delay and our offset come to %d ms; playing at 0", manifest.stream, delay_ms)
    return EpochPlan(
        epoch=manifest.epoch,
        first_frame=manifest.first_frame,
        tiers=TierMap(manifest.tiers, num_layers=spec.num_layers, layers=config.layers),
        jitter=JitterConfig(
            frame_duration_s=spec.frame_duration_s,
            playout_delay_s=max(0, delay_ms) / 1000.0,
            frames_per_packet=manifest.frames_per_packet,
            slack_s=config.slack_s,
        ),
        capture=CaptureClock(started_at_ms=manifest.started_at_ms, frame_duration_s=spec.frame_duration_s),
        silence=manifest.silence,
    )


def explain_layers(manifest: StreamManifest, asked: int) -> str | None:
    """What becomes of the wish for the first so many layers, where it is not what was meant; None where it is."""
    if asked > manifest.num_layers:
        return f"it has {manifest.num_layers} layers, {asked} were asked for; playing all that it has"
    received = sum(tier.num_layers for tier in manifest.tiers if tier.first_layer < asked)
    if received > asked:
        sizes = ", ".join(str(tier.num_layers) for tier in manifest.tiers)
        return (
            f"its tiers have {sizes} layers; {received} of them come, of which the first {asked} are played: to save "
            "the bytes of the rest its gateway needs --tiers that end there"
        )
    return None


def usual_packet_rate(plan: EpochPlan) -> float:
    """Packets a second that the epoch sends, on all the tiers that are played."""
    return len(plan.tiers.wanted_tiers) / plan.packet_s
