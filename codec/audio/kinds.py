"""What a file is by its first bytes: for a sentence that fits, and for the choice of a library."""

from __future__ import annotations

import struct

HEAD_BYTES = 4096
"""Enough for the marks below and for the header of any usual WAV file."""

_MP3_SYNC_MASK = 0xFFE0


def sniff_kind(head: bytes) -> str | None:
    """`WAV`, `FLAC`, `OGG`, `M4A` (MP4 too), `MP3` or `AIFF`, by a file's first bytes; None for anything else."""
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return "WAV"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "AIFF"
    for mark, at, kind in ((b"fLaC", 0, "FLAC"), (b"OggS", 0, "OGG"), (b"ftyp", 4, "M4A"), (b"ID3", 0, "MP3")):
        if head[at : at + len(mark)] == mark:
            return kind
    return "MP3" if _is_mp3_frame(head) else None


def describe_header_fault(head: bytes) -> str | None:
    """What in the header of a WAV file can not be true, as in `its header states 0 channels`; None: nothing."""
    if sniff_kind(head) != "WAV":
        return None
    at = head.find(b"fmt ", 12)
    if at < 0 or len(head) < at + 24:
        return "its header is cut short"
    channels, rate, _, _, bits = struct.unpack_from("<HIIHH", head, at + 10)
    for value, unit in ((channels, "channels"), (rate, "Hz"), (bits, "bits per sample")):
        if value == 0:
            return f"its header states 0 {unit}"
    return None


def _is_mp3_frame(head: bytes) -> bool:
    """A frame header of layer III with no field that is reserved; two bytes of 1s alone are in many files."""
    if len(head) < 4:
        return False
    word = int.from_bytes(head[:4], "big")
    is_layer_3 = word >> 17 & 3 == 1
    bitrate, rate = word >> 12 & 15, word >> 10 & 3
    return word >> 16 & _MP3_SYNC_MASK == _MP3_SYNC_MASK and is_layer_3 and 0 < bitrate < 15 and rate < 3
