from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.errors import SourceError
from gateway.sources.playlist import is_hls, is_list, local_targets, parse_list, remote_targets

XSPF = b"""<?xml version="1.0"?><playlist version="1" xmlns="http://xspf.org/ns/0/"><trackList>
<track><location>first%20one.mp3</location></track><track><location> http://radio.example/live </location></track>
</trackList></playlist>"""
PLS = b"[Playlist]\r\nNumberOfEntries=2\r\nFile10=b.mp3\r\nFile2=http://radio.example/a\r\nTitle2=A\r\nLength2=-1\r\n"
M3U = b"\xef\xbb\xbf#EXTM3U\r\n#EXTINF:10,Title\r\nfirst.mp3\r\n\r\n  http://radio.example/live  \r\n"


@pytest.mark.parametrize(
    ("data", "entries"),
    [
        (M3U, ["first.mp3", "http://radio.example/live"]),
        (PLS, ["http://radio.example/a", "b.mp3"]),
        (XSPF, ["first%20one.mp3", "http://radio.example/live"]),
        ("日本語.flac\n".encode(), ["日本語.flac"]),
    ],
)
def test_each_kind_is_told_by_its_content(data: bytes, entries: list[str]) -> None:
    assert parse_list(data, "list") == entries


@pytest.mark.parametrize("data", [b"", b"#EXTM3U\n", b"[playlist]\nNumberOfEntries=0\n", b"<playlist/>", b"a\0b.mp3"])
def test_a_list_that_names_nothing_is_refused(data: bytes) -> None:
    with pytest.raises(SourceError, match="names nothing to play"):
        parse_list(data, "list.m3u")


def test_broken_xml_and_entities_are_refused_in_a_sentence() -> None:
    with pytest.raises(SourceError, match="no play list that can be read"):
        parse_list(b"<playlist><track>", "list.xspf")
    bomb = b'<!DOCTYPE a [<!ENTITY b "cc">]><playlist><location>&b;</location></playlist>'
    with pytest.raises(SourceError, match="declares XML entities"):
        parse_list(bomb, "list.xspf")


def test_an_hls_list_is_no_play_list() -> None:
    data = b"#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\n1.ts\n"
    assert is_hls(data)
    with pytest.raises(SourceError, match="is an HLS list"):
        parse_list(data, "live.m3u8")


def test_names_and_types_say_what_is_a_list() -> None:
    assert is_list("a/B.M3U8")
    assert is_list("listen", "audio/x-scpls")
    assert not is_list("talk.mp3", "audio/mpeg")


def test_entries_are_taken_from_the_folder_of_the_list(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "first one.mp3").touch()
    (tmp_path / "sub" / "b.mp3").touch()
    path = tmp_path / "list.xspf"
    path.write_bytes(XSPF)
    assert local_targets(path) == [str(tmp_path / "first one.mp3"), "http://radio.example/live"]
    path = tmp_path / "list.m3u"
    path.write_text(f"sub\\b.mp3\n/abs/c.mp3\nfile://{tmp_path}/first%20one.mp3\nmissing.mp3\n")
    assert local_targets(path) == [
        str(tmp_path / "sub/b.mp3"),
        "/abs/c.mp3",
        str(tmp_path / "first one.mp3"),
        str(tmp_path / "missing.mp3"),
    ]


def test_a_name_in_an_old_encoding_is_found(tmp_path: Path) -> None:
    (tmp_path / "café.mp3").touch()
    raw = os.fsencode(tmp_path) + b"/caf\xe9 raw.mp3"
    with open(raw, "wb"):
        pass
    path = tmp_path / "list.m3u"
    path.write_bytes(b"caf\xe9.mp3\ncaf\xe9 raw.mp3\n")
    assert [os.fsencode(target) for target in local_targets(path)] == [os.fsencode(tmp_path / "café.mp3"), raw]


def test_lists_in_lists_are_followed_but_not_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a.m3u").write_text("1.mp3\nb.m3u\n")
    (tmp_path / "b.m3u").write_text("2.mp3\na.m3u\n3.mp3\n")
    assert [Path(target).name for target in local_targets(tmp_path / "a.m3u")] == ["1.mp3", "2.mp3", "3.mp3"]


def test_a_list_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"Cannot read the play list .*none\.m3u: No such file"):
        local_targets(tmp_path / "none.m3u")


def test_a_list_behind_an_address_names_addresses_only() -> None:
    data = b"/etc/passwd\nfile:///etc/passwd\nftp://h/x\n../b.mp3\nhttps://other.example/c\nconcat:/etc/passwd\n"
    assert remote_targets(data, "http://host/lists/a.m3u") == [
        "http://host/etc/passwd",
        "http://host/b.mp3",
        "https://other.example/c",
    ]
    with pytest.raises(SourceError, match="names no address"):
        remote_targets(b"file:///etc/passwd\n", "http://host/a.m3u")
