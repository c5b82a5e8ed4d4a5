"""Token packets: a few frames of codes, with the index of the first. The hot path of both ends."""

from __future__ import annotations

from dataclasses import dataclass

import msgpack
import numpy as np
from numpy.typing import NDArray

from protocol.entropy import CodesCoder
from protocol.errors import Fault, PacketError
from protocol.limits import (
    MAX_CODEBOOK_SIZE,
    MAX_EPOCH_LOW7,
    MAX_FRAMES_PER_PACKET,
    MAX_LAYERS,
    MAX_PACKET_BYTES,
    MAX_SERIAL,
    MAX_UTC_MS,
)
from protocol.packing import bits_per_code, pack_codes, packed_bytes, unpack_codes
from protocol.untrusted import check_int, unpack_array

__all__ = [
    "MAX_FRAMES_PER_PACKET",
    "MAX_PACKET_BYTES",
    "PacketLimits",
    "TokenPacket",
    "decode_packet",
    "encode_packet",
]

_FIELDS = 4
"""epoch, first frame, frames, codes; the capture time, the pause and whatever later versions add may follow."""
_PAUSE_FIELD = 5


@dataclass(frozen=True, slots=True, eq=False)
class TokenPacket:
    """What one MQTT message on a tier topic carries. Raises PacketError where a field is out of its range."""

    epoch: int
    """Low 7 bits of the stream epoch."""
    first_frame: int
    """Index of the first frame, modulo 2**32 (`sequence.to_serial`)."""
    codes: NDArray[np.uint16]
    """[K, N]: the layers of this tier, 1 to 25 frames."""
    captured_at_ms: int | None = None
    """UTC of the first sample, ms. Normally None: the manifest and the clock report say it for nothing."""
    pause_after: int = 0
    """Above 0: nothing follows until somebody speaks again, and so many frames up to the last one of this packet hold
    nothing but the background of the room. 25 at the most."""

    def __post_init__(self) -> None:
        check_int(self.epoch, "epoch", 0, MAX_EPOCH_LOW7, error=PacketError)
        check_int(self.first_frame, "first_frame", 0, MAX_SERIAL, error=PacketError)
        if self.captured_at_ms is not None:
            check_int(self.captured_at_ms, "captured_at_ms", 0, MAX_UTC_MS, error=PacketError)
        check_int(self.pause_after, "pause_after", 0, MAX_FRAMES_PER_PACKET, error=PacketError)
        if self.codes.dtype != np.uint16 or self.codes.ndim != 2:
            got = f"{self.codes.dtype} {list(self.codes.shape)}"
            raise PacketError(Fault.TYPE, f"codes: expected uint16 [layers, frames], got {got}")
        layers, frames = self.codes.shape
        check_int(layers, "layers", 1, MAX_LAYERS, error=PacketError)
        check_int(frames, "frames", 1, MAX_FRAMES_PER_PACKET, error=PacketError)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TokenPacket):
            return NotImplemented
        mine = (self.epoch, self.first_frame, self.captured_at_ms, self.pause_after)
        theirs = (other.epoch, other.first_frame, other.captured_at_ms, other.pause_after)
        return mine == theirs and np.array_equal(self.codes, other.codes)

    @property
    def num_layers(self) -> int:
        return int(self.codes.shape[0])

    @property
    def num_frames(self) -> int:
        return int(self.codes.shape[1])


@dataclass(frozen=True, slots=True)
class PacketLimits:
    """What a packet of one tier must agree with; `StreamManifest.packet_limits` makes it. ValueError for nonsense."""

    num_layers: int
    codebook_size: int
    max_frames: int = MAX_FRAMES_PER_PACKET
    coder: CodesCoder | None = None
    """Of a stream whose manifest names entropy tables; None: codes are packed, always."""

    def __post_init__(self) -> None:
        if not 1 <= self.num_layers <= MAX_LAYERS:
            raise ValueError(f"num_layers: expected 1 to {MAX_LAYERS}, got {self.num_layers}")
        if not 2 <= self.codebook_size <= MAX_CODEBOOK_SIZE:
            raise ValueError(f"codebook_size: expected 2 to {MAX_CODEBOOK_SIZE}, got {self.codebook_size}")
        if not 1 <= self.max_frames <= MAX_FRAMES_PER_PACKET:
            raise ValueError(f"max_frames: expected 1 to {MAX_FRAMES_PER_PACKET}, got {self.max_frames}")


def encode_packet(packet: TokenPacket, *, codebook_size: int, coder: CodesCoder | None = None) -> bytes:
    """The payload. Beside the codes at most 11 bytes, at any index; 9 more where the capture time is given, and
    2 where a pause follows.

    coder: of the packet's layers; the codes are entropy-coded where that is shorter.
    """
    _check_codes(packet.codes, codebook_size)
    data = pack_codes(packet.codes, bits_per_code(codebook_size))
    if coder is not None:
        data = min(data, coder.encode(packet.codes), key=len)  # of two as long the first, as SPEC.md asks
    fields: tuple[int | bytes | None, ...] = (packet.epoch, packet.first_frame, packet.num_frames, data)
    if packet.pause_after:
        fields = (*fields, packet.captured_at_ms, packet.pause_after)
    elif packet.captured_at_ms is not None:
        fields = (*fields, packet.captured_at_ms)
    payload: bytes = msgpack.packb(fields)
    return payload


def decode_packet(payload: bytes, limits: PacketLimits) -> TokenPacket:
    """The packet in `payload`. Raises PacketError and nothing else, in bounded time and memory, whatever the bytes."""
    fields = unpack_array(payload, at_least=_FIELDS, max_bytes=MAX_PACKET_BYTES, error=PacketError)
    epoch = check_int(fields[0], "epoch", 0, MAX_EPOCH_LOW7, error=PacketError)
    first_frame = check_int(fields[1], "first_frame", 0, MAX_SERIAL, error=PacketError)
    frames = check_int(fields[2], "frames", 1, limits.max_frames, error=PacketError)
    data = fields[3]
    if type(data) is not bytes:
        raise PacketError(Fault.TYPE, f"codes: expected bytes, got {type(data).__name__}")
    captured_at_ms = None
    if len(fields) > _FIELDS and fields[_FIELDS] is not None:
        captured_at_ms = check_int(fields[_FIELDS], "captured_at_ms", 0, MAX_UTC_MS, error=PacketError)
    codes = _codes(data, frames, limits)
    _check_codes(codes, limits.codebook_size)
    return TokenPacket(
        epoch=epoch,
        first_frame=first_frame,
        codes=codes,
        captured_at_ms=captured_at_ms,
        pause_after=_pause_after(fields),
    )


def _pause_after(fields: tuple[object, ...]) -> int:
    # Readers of the first revision ignored whatever stood here: what is no such number is ignored still.
    value = fields[_PAUSE_FIELD] if len(fields) > _PAUSE_FIELD else 0
    return value if type(value) is int and 0 < value <= MAX_FRAMES_PER_PACKET else 0


def _codes(data: bytes, frames: int, limits: PacketLimits) -> NDArray[np.uint16]:
    """What is shorter than packed codes is entropy-coded; anything else has to be packed ones."""
    bits = bits_per_code(limits.codebook_size)
    if limits.coder is not None and 0 < len(data) < packed_bytes(limits.num_layers, frames, bits):
        return limits.coder.decode(data, frames)
    return unpack_codes(data, num_layers=limits.num_layers, frames=frames, bits=bits)


def _check_codes(codes: NDArray[np.uint16], codebook_size: int) -> None:
    # ONNX's Gather wraps a negative index and not every provider checks a large one: nothing past here may be either.
    largest = int(codes.max())
    if largest >= codebook_size:
        raise PacketError(Fault.CODE, f"codes: expected codes below {codebook_size}, got {largest}")
