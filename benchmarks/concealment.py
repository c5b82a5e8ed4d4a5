"""What lost frames cost, by what stands in for them: STOI and PESQ against the same stream without a loss.

Every way gets the same frames of the same recordings. Losses are drawn by frame, in bursts (two states: Gilbert, 1960),
or by packet of five frames, as the link profile `wan` sends them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import Options, Row, add_report_options, describe_machine, pin_to_core, report
from benchmarks.listening.clips import ORIGINALS, find_clips
from codec import Decoder, Tokenizer
from codec.comparison.measures import measure
from edge_player.render.concealment import Concealer

Codes = NDArray[np.int64]
Samples = NDArray[np.float32]
Mask = NDArray[np.bool_]
"""Which frames are lost, [N]."""

WAN_FRAMES = 5
BURST_FRAMES = 3.0
FIGURES = {"stoi": "STOI", "pesq_wb": "PESQ-WB"}


def by_frame(share: float) -> Callable[[np.random.Generator, int], Mask]:
    """Each frame by itself."""
    return lambda rng, count: rng.random(count) < share


def by_packet(share: float) -> Callable[[np.random.Generator, int], Mask]:
    """Packets of WAN_FRAMES frames."""
    return lambda rng, count: np.repeat(rng.random(-(-count // WAN_FRAMES)) < share, WAN_FRAMES)[:count]


def in_bursts(share: float) -> Callable[[np.random.Generator, int], Mask]:
    """Bursts of BURST_FRAMES frames in the mean; between them nothing is lost."""

    def draw(rng: np.random.Generator, count: int) -> Mask:
        leave = 1.0 / BURST_FRAMES
        enter = leave * share / (1.0 - share)
        lost, mask = False, np.zeros(count, dtype=np.bool_)
        for frame in range(count):
            lost = rng.random() >= leave if lost else rng.random() < enter
            mask[frame] = lost
        return mask

    return draw


PATTERNS: Mapping[str, Callable[[np.random.Generator, int], Mask]] = {
    "5 % of frames": by_frame(0.05),
    "20 % of frames": by_frame(0.2),
    "10 % in bursts": in_bursts(0.1),
    "5 % of packets of 5": by_packet(0.05),
}

Way = Callable[[Decoder, Codes, Mask], Samples]
"""Codes [K, N] and which of their frames are lost, to samples [N * frame_size]."""


def player(decoder: Decoder, codes: Codes, lost: Mask) -> Samples:
    """As the player does it: the last codes again, fading; `edge_player.render.concealment`."""
    spec, parts = decoder.spec, []
    concealer = Concealer(frame_size=spec.frame_size, sample_rate=spec.sample_rate)
    concealer.start_at_full_level()
    silence = np.zeros(spec.frame_size, dtype=np.float32)
    with decoder.session() as session:
        for frame, gone in enumerate(lost):
            if gone:
                made_up = concealer.conceal()
                sound = silence if made_up.codes is None else session.decode(made_up.codes[:, np.newaxis])[0]
                parts.append(sound * made_up.gain if made_up.gain is not None else silence)
            else:
                gain = concealer.resume(codes[:, frame])
                sound = session.decode(codes[:, frame : frame + 1])[0]
                parts.append(sound if gain is None else sound * gain)
    return np.concatenate(parts)


def hold(decoder: Decoder, codes: Codes, lost: Mask) -> Samples:
    """The last codes again, at full level, for as long as it takes."""
    return _fed(decoder, _held(codes, lost))


def silence(decoder: Decoder, codes: Codes, lost: Mask) -> Samples:
    """Nothing is heard, and the decoder goes on afterwards as if nothing had been there."""
    size = decoder.spec.frame_size
    out = np.zeros((len(lost), size), dtype=np.float32)
    out[~lost] = _fed(decoder, codes[:, ~lost]).reshape(-1, size)
    return out.ravel()


def silence_fed(decoder: Decoder, codes: Codes, lost: Mask) -> Samples:
    """Nothing is heard, but the decoder gets the last codes again and keeps its state."""
    out = hold(decoder, codes, lost).reshape(len(lost), -1)
    out[lost] = 0.0
    return out.ravel()


WAYS: Mapping[str, Way] = {
    "the player's": player,
    "hold": hold,
    "silence": silence,
    "silence, decoder fed": silence_fed,
}


def _held(codes: Codes, lost: Mask) -> Codes:
    newest = np.maximum.accumulate(np.where(lost, 0, np.arange(len(lost))))
    return codes[:, newest]


def _fed(decoder: Decoder, codes: Codes) -> Samples:
    with decoder.session() as session:
        parts = [session.decode(codes[:, frame : frame + 1])[0] for frame in range(codes.shape[1])]
    return np.concatenate(parts)


@dataclass(frozen=True, slots=True)
class Stream:
    """A recording as it is sent, and as it comes out where nothing is lost."""

    codes: Codes
    whole: Samples


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.concealment",
        description=__doc__,
        epilog="example: python -m benchmarks.concealment --seeds 5",
    )
    parser.add_argument("--speech", type=Path, default=ORIGINALS, help="folder of recordings (default: the bundled)")
    parser.add_argument("--seeds", type=int, default=3, help="draws of each pattern (default: %(default)s)")
    add_report_options(parser, "concealment")
    given = parser.parse_args()
    pin_to_core(given.core)
    tokenizer = Tokenizer.load("nano", device="cpu")
    streams = [_stream(tokenizer, clip.read()) for clip in find_clips(given.speech)]
    report(
        Options(core=given.core, seconds=0.0, out=given.out, json=given.json),
        title=f"{tokenizer.spec.name}: lost frames, {len(streams)} recordings, {given.seeds} draws each",
        rows=list(_measure(tokenizer.decoder, streams, given.seeds)),
        machine=describe_machine(["numpy", "onnxruntime"]),
        notes=["STOI and PESQ-WB against the same stream without a loss; means over recordings and draws."],
    )
    return 0


def _stream(tokenizer: Tokenizer, recording: Samples) -> Stream:
    with tokenizer.encoder.session() as session:
        size = tokenizer.spec.frame_size
        pcm = np.pad(recording, (0, -len(recording) % size))
        codes: Codes = session.encode(pcm)[0]
    return Stream(codes, _fed(tokenizer.decoder, codes))


def _measure(decoder: Decoder, streams: list[Stream], seeds: int) -> Iterator[Row]:
    for pattern, draw in PATTERNS.items():
        for name, way in WAYS.items():
            scores: dict[str, list[float]] = {figure: [] for figure in FIGURES}
            share = []
            for number, stream in enumerate(streams):
                for seed in range(seeds):
                    lost = draw(np.random.default_rng((seed, number)), stream.codes.shape[1])
                    lost[0] = False  # a stream begins with a frame that came
                    share.append(float(lost.mean()))
                    values = measure(stream.whole, way(decoder, stream.codes, lost), only=FIGURES).values
                    for figure, kept in scores.items():
                        value = values[figure]
                        if value is not None:
                            kept.append(value)
            yield {
                "lost": pattern,
                "instead": name,
                "lost_percent": round(100 * fmean(share), 1),
                **{column: _mean(scores[figure]) for figure, column in FIGURES.items()},
            }


def _mean(values: list[float]) -> float | None:
    return round(fmean(values), 3) if values else None


if __name__ == "__main__":
    raise SystemExit(main())
