"""The player's intake as a whole: a few messages of any kind, some good, some not, and play-out between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from random import Random

import numpy as np

from codec.spec import CodecSpec
from edge_player.buffer.jitter_values import Lost, Silent, Wait
from edge_player.buffer.timeline import Timeline
from edge_player.intake.inbox import InboxKind, InboxMessage
from edge_player.intake.receiver import Receiver
from edge_player.intake.receiver_values import ReceiverConfig
from edge_player.intake.tier_follower import TierFollower
from protocol.epoch import epoch_low7
from protocol.event import (
    ClockReport,
    Event,
    SourceStalled,
    StreamPaused,
    StreamStarted,
    StreamStopped,
    encode_event,
)
from protocol.manifest import CodecIdentity, StreamManifest, Tier, encode_manifest
from protocol.packet import TokenPacket, encode_packet
from protocol.status import StatusMessage, encode_status
from tests.fuzz.byte_cases import framed, unframed
from tests.fuzz.json_cases import JsonCases
from tests.fuzz.msgpack_cases import MsgpackCases
from tests.fuzz.target import Target

_SPEC = CodecSpec("toy", 16000, 1280, 4, 1024, 320, "ab" * 32)
_EPOCHS = (0x1234_5678_9ABC_DE05, 0x1234_5678_9ABC_DE06)
_KINDS = (InboxKind.MANIFEST, InboxKind.EVENT, InboxKind.GATEWAY_STATUS, InboxKind.TOKENS)
_TOKENS = 3
_MESSAGES = 16
_INDICES = (0, 1, 2, 3, 5, 8, 60, 2**31 - 1, 2**31, 2**32 - 1)


def intake_target() -> Target:
    """Nothing may leave the receiver, and every frame due is accounted for at any moment."""
    good = _good_messages()
    makers: dict[int, Callable[[Random], bytes]] = {
        0: JsonCases(good[0]),
        1: MsgpackCases(good[1]),
        2: JsonCases(good[2]),
        3: MsgpackCases(good[3]),
    }

    def make(random: Random) -> bytes:
        parts = [(0, random.choice(good[0]))] if random.random() < 0.9 else []
        for _ in range(random.randint(1, _MESSAGES)):
            kind = random.choice((0, 1, 2, 3, 3, 3, 3, 3))
            payload = makers[kind](random) if random.random() < 0.3 else random.choice(good[kind])
            parts.append((kind | random.choice((0, 0, 0, 0, 4, 8)) << 2, payload[:65535]))
        return framed(parts)

    return Target("player intake", 20, 200, make, _play, (), peak_kb=4096)


@dataclass
class _Lag:
    """Of a link on which all comes too late."""

    lag_s: float = 1.0
    packets: int = 0


def _play(case: bytes) -> None:
    """Each message a tenth of a second after the one before. The kind byte's high bits are tier and retain flag."""
    timeline = Timeline()
    config = ReceiverConfig(stream="lobby")
    followed: list[tuple[int, ...]] = []
    lag = _Lag()
    follower = TierFollower(
        lambda tiers, gateway: followed.append(tuple(tiers)), timeline, stream="lobby", auto=True, lag=lag
    )
    receiver = Receiver(config, _SPEC, timeline, follow=follower.follow, on_state=lambda state: None)
    now = 1000.0
    for kind, payload in unframed(case):
        now += 0.1
        tier, retained = kind >> 4 & 3, bool(kind & 0x40)
        lag.packets += 1
        receiver.handle(InboxMessage(_KINDS[kind & 3], payload, now, tier, retained))
        for _ in range(2):
            _take(timeline, now)
        follower.look(now, expects_packets=receiver.expects_packets)
        assert timeline.totals().balanced
        assert timeline.stats().thinned_frames <= timeline.totals().played
        assert all(tiers == tuple(range(len(tiers))) for tiers in followed), "a prefix of the tiers, the base included"


def _take(timeline: Timeline, now: float) -> None:
    """What play-out does with the frame that is due."""
    item = timeline.pull(now)
    if isinstance(item, Wait):
        return
    assert timeline.current is not None
    if isinstance(item, Lost):
        timeline.current.ledger.count_lost(audible=False)
    elif isinstance(item, Silent):
        timeline.current.ledger.count_silent()
    else:
        assert item.codes.shape == (_SPEC.num_layers,)
        assert -1 <= int(item.codes.min()) <= int(item.codes.max()) < _SPEC.codebook_size
        assert item.codes[0] >= 0
        timeline.current.ledger.count_played()


def _good_messages() -> dict[int, list[bytes]]:
    identity = CodecIdentity(**asdict(_SPEC))
    manifests = [
        StreamManifest("lobby", identity, tiers, 1, epoch, 5_000_000 + number, "gw-1", 1, 160)
        for number, epoch in enumerate(_EPOCHS)
        for tiers in ((Tier(0, 4),), (Tier(0, 1), Tier(1, 3)), (Tier(0, 1), Tier(1, 1), Tier(2, 2)))
    ]
    events: list[Event] = [
        StreamStarted(_EPOCHS[0], 0, 1),
        StreamStopped(_EPOCHS[0], 0, 3, 1),
        SourceStalled(_EPOCHS[0], 2, 1),
        StreamPaused(epoch_low7(_EPOCHS[0])),
    ]
    statuses = [StatusMessage("gateway", "gw-1", "online", 5, epoch=_EPOCHS[0])]
    statuses += [StatusMessage("gateway", "gw-1", "offline", session, epoch=_EPOCHS[0]) for session in (4, 5)]
    packets = [
        TokenPacket(epoch_low7(epoch), index, np.full((layers, frames), 7, np.uint16), pause_after=pause_after)
        for epoch in _EPOCHS
        for index in _INDICES
        for layers, frames, pause_after in ((4, 1, 0), (1, 2, 0), (4, 1, 8), (3, 2, 0), (2, 1, 0), (1, 1, 8))
    ]
    return {
        0: [encode_manifest(manifest) for manifest in manifests],
        1: [encode_event(event) for event in (*events, ClockReport(_EPOCHS[0], 3, 4, 0.5))],
        2: [encode_status(status) for status in statuses],
        3: [encode_packet(packet, codebook_size=1024) for packet in packets],
    }
