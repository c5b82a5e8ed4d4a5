from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sources.web.icy import IcyFilter


def text(line: bytes) -> bytes:
    units = -(-len(line) // 16)
    return bytes([units]) + line.ljust(units * 16, b"\0")


SOUND = bytes(range(12))
STREAM = SOUND[:4] + text("StreamTitle='Zoë, Çay';".encode()) + SOUND[4:8] + text(b"") + SOUND[8:]


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_sound_and_titles_come_apart_wherever_the_bytes_are_cut(cuts: list[int]) -> None:
    titles: list[str] = []
    filtered = IcyFilter(4, titles.append)
    edges = [0, *sorted(cuts), len(STREAM)]
    sound = b"".join(filtered.feed(STREAM[begin:end]) for begin, end in itertools.pairwise(edges))
    assert sound == SOUND
    assert titles == ["Zoë, Çay"]


def test_a_title_that_is_repeated_is_told_once() -> None:
    titles: list[str] = []
    IcyFilter(2, titles.append).feed((b"ab" + text(b"StreamTitle='News';StreamUrl='';")) * 3)
    assert titles == ["News"]


def test_old_encodings_and_control_characters_do_no_harm() -> None:
    titles: list[str] = []
    line = text(b"StreamTitle='Caf\xe9\r\n\x1b[2J';")
    IcyFilter(1, titles.append).feed(b"a" + line)
    assert titles == ["Café [2J"]


@given(data=st.binary(max_size=400), interval=st.integers(1, 20))
def test_any_bytes_are_taken(data: bytes, interval: int) -> None:
    assert len(IcyFilter(interval, lambda title: None).feed(data)) <= len(data)


def test_an_interval_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="icy-metaint"):
        IcyFilter(0, print)
