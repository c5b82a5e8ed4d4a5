from __future__ import annotations

import pytest

from codec.errors import AddressError
from gateway.sources.web.hls import choose_variant, parse_media_list

HERE = "https://host/live/index.m3u8"


def test_sound_alone_is_chosen_before_pictures_and_few_bits_before_many() -> None:
    variants = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=900000\nhigh.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=64000\nlow.m3u8\n"
    assert choose_variant(variants, HERE) == "https://host/live/low.m3u8"
    sound = '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="en, main",URI="sound.m3u8"\n'
    assert choose_variant(variants + sound, HERE) == "https://host/live/sound.m3u8"
    assert choose_variant("#EXTM3U\n#EXTINF:6,\n1.ts\n", HERE) is None


def test_pieces_are_numbered_from_where_the_list_begins() -> None:
    found = parse_media_list(
        '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-MAP:URI="i.mp4"\n#EXTINF:4,\na.ts\n/b.ts',
        HERE,
    )
    assert found.pieces == ((7, "https://host/live/a.ts"), (8, "https://host/b.ts"))
    assert (found.header, found.ended, found.target_s) == ("https://host/live/i.mp4", False, 4.0)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('#EXT-X-KEY:METHOD=AES-128,URI="k"', "is encrypted"),
        ("#EXT-X-BYTERANGE:100@0", "byte ranges"),
        ('#EXT-X-MAP:URI="i.mp4",BYTERANGE="10@0"', "byte ranges"),
    ],
)
def test_what_is_not_supported_is_said(line: str, why: str) -> None:
    with pytest.raises(AddressError, match=why):
        parse_media_list(f"#EXTM3U\n{line}\na.ts\n", HERE)


@pytest.mark.parametrize("text", ["", "#EXT-X-MEDIA-SEQUENCE:x\n#EXT-X-TARGETDURATION:-1\n", "\0\n" * 5])
def test_nonsense_is_taken_as_no_pieces_or_odd_ones(text: str) -> None:
    assert parse_media_list(text, HERE).target_s == 6.0
