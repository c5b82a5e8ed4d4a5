from __future__ import annotations

import numpy as np
import pytest

from benchmarks import concealment
from benchmarks.concealment import BURST_FRAMES, PATTERNS, WAN_FRAMES, WAYS, Mask, by_frame, by_packet, in_bursts
from codec import Tokenizer

COUNT = 20_000
FRAMES = 12


def draw(pattern: str) -> Mask:
    return PATTERNS[pattern](np.random.default_rng(1), COUNT)


@pytest.mark.parametrize(
    ("pattern", "share"),
    [("5 % of frames", 0.05), ("20 % of frames", 0.2), ("10 % in bursts", 0.1), ("5 % of packets of 5", 0.05)],
)
def test_a_pattern_loses_the_share_that_its_name_says(pattern: str, share: float) -> None:
    lost = draw(pattern)
    assert lost.shape == (COUNT,)
    assert lost.mean() == pytest.approx(share, rel=0.15)
    assert np.array_equal(lost, draw(pattern)), "the same generator draws the same"


def test_bursts_are_as_long_as_they_ought_to_be_and_packets_are_lost_whole() -> None:
    lost = in_bursts(0.1)(np.random.default_rng(2), COUNT)
    bursts = np.count_nonzero(np.diff(lost.astype(int), prepend=0) == 1)
    assert lost.sum() / bursts == pytest.approx(BURST_FRAMES, rel=0.15)
    packets = by_packet(0.3)(np.random.default_rng(3), WAN_FRAMES * 50).reshape(-1, WAN_FRAMES)
    assert set(packets.sum(axis=1)) == {0, WAN_FRAMES}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.load("nano", device="cpu")


@pytest.fixture(scope="module")
def codes(tokenizer: Tokenizer) -> concealment.Codes:
    noise = 0.1 * np.random.default_rng(4).standard_normal(FRAMES * tokenizer.spec.frame_size)
    with tokenizer.encoder.session() as session:
        encoded: concealment.Codes = session.encode(noise.astype(np.float32))[0]
    return encoded


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_where_nothing_is_lost_every_way_gives_the_stream(
    way: concealment.Way, tokenizer: Tokenizer, codes: concealment.Codes
) -> None:
    whole = concealment._fed(tokenizer.decoder, codes)
    assert np.array_equal(way(tokenizer.decoder, codes, by_frame(0.0)(np.random.default_rng(5), FRAMES)), whole)


def test_what_is_lost_is_silent_or_made_up(tokenizer: Tokenizer, codes: concealment.Codes) -> None:
    size = tokenizer.spec.frame_size
    lost = np.zeros(FRAMES, dtype=np.bool_)
    lost[4] = True
    for name, way in WAYS.items():
        frame = way(tokenizer.decoder, codes, lost).reshape(FRAMES, size)[4]
        assert frame.any() != name.startswith("silence"), name


def test_the_benchmark_scores_every_way_on_every_pattern(
    tokenizer: Tokenizer, codes: concealment.Codes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concealment, "PATTERNS", {"some": by_frame(0.2)})
    whole = concealment._fed(tokenizer.decoder, codes)
    rows = list(concealment._measure(tokenizer.decoder, [concealment.Stream(codes, whole)], 1))
    assert [row["instead"] for row in rows] == list(WAYS)
    assert all(0.0 < float(row["lost_percent"] or 0) < 60.0 for row in rows)
