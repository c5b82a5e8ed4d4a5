"""A receiver, and who brings it messages."""

from __future__ import annotations

from collections.abc import Iterable

from codec.spec import CodecSpec
from edge_player.buffer.timeline import Timeline
from edge_player.intake.inbox import InboxKind, InboxMessage
from edge_player.intake.receiver import Receiver, Witness
from edge_player.intake.receiver_values import ReceiverConfig, StreamState
from protocol.entropy import EntropyTables
from protocol.manifest import StreamManifest, encode_manifest
from protocol.packet import TokenPacket, encode_packet
from protocol.status import State, StatusMessage, encode_status


class Post:
    """A receiver and the postman who brings it messages."""

    def __init__(
        self,
        spec: CodecSpec,
        *,
        tables: EntropyTables | None = None,
        witness: Witness | None = None,
        **config: int,
    ) -> None:
        self.timeline = Timeline()
        self.states: list[StreamState] = []
        self.followed: list[tuple[tuple[int, ...], str]] = []
        self.marks: list[float] = []
        self.receiver = Receiver(
            ReceiverConfig(stream="lobby", **config),
            spec,
            self.timeline,
            follow=self._follow,
            on_state=self.states.append,
            on_packet=self.marks.append,
            tables=tables,
            witness=witness,
        )

    def _follow(self, tiers: Iterable[int], gateway_id: str) -> None:
        self.followed.append((tuple(tiers), gateway_id))

    def manifest(self, manifest: StreamManifest, at: float = 0.0) -> None:
        self.receiver.handle(InboxMessage(InboxKind.MANIFEST, encode_manifest(manifest), at, retained=True))

    def raw(self, kind: InboxKind, payload: bytes, at: float = 0.0) -> None:
        self.receiver.handle(InboxMessage(kind, payload, at))

    def packet(self, packet: TokenPacket, at: float = 0.0, *, tier: int = 0, retained: bool = False) -> None:
        payload = encode_packet(packet, codebook_size=1024)
        self.receiver.handle(InboxMessage(InboxKind.TOKENS, payload, at, tier, retained))

    def status(self, state: State, *, epoch: int | None, session: int = 1) -> None:
        message = StatusMessage("gateway", "gw-1", state, session, epoch=epoch)
        self.raw(InboxKind.GATEWAY_STATUS, encode_status(message))
