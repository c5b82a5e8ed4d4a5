"""Telling files apart by their first bytes."""

from __future__ import annotations

import pytest

from codec.audio.kinds import describe_header_fault, sniff_kind


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"RIFF\x24\0\0\0WAVEfmt ", "WAV"),
        (b"RF64\xff\xff\xff\xffWAVEds64", "WAV"),
        (b"RIFF\x24\0\0\0AVI LIST", None),
        (b"FORM\0\0\0\x10AIFFCOMM", "AIFF"),
        (b"fLaC\0\0\0\x22", "FLAC"),
        (b"OggS\0\x02", "OGG"),
        (b"\0\0\0\x20ftypM4A ", "M4A"),
        (b"ID3\x04\0", "MP3"),
        (b"\xff\xfb\x90\x00", "MP3"),
        (b"\xff\xf3\x40\xc0", "MP3"),
        (b"\xff\xfe\x90\x00", None),  # layer I; also a text in UTF-16
        (b"\xff\xff\xff\xff", None),
        (b"\xff\xfb", None),
        (b"Dear reader", None),
        (b"", None),
    ],
)
def test_a_kind_is_known_by_its_mark(head: bytes, kind: str | None) -> None:
    assert sniff_kind(head) == kind


def test_only_wav_headers_are_looked_into() -> None:
    assert describe_header_fault(b"fLaC" + bytes(100)) is None
    assert describe_header_fault(b"RIFF\x24\0\0\0WAVEfmt ") == "its header is cut short"
