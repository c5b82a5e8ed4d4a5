"""The first sound of a decoder that starts in mid-stream, by what it was given to decode before, unheard."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from importlib.resources import as_file, files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import Options, Row, add_report_options, describe_machine, pin_to_core, report
from codec import Decoder, Encoder, read_audio
from codec.load import load_codec

HEARD_S = 0.2
AFTER = 8
"""Frames decoded from the join on."""
STEP = 10

Codes = NDArray[np.int64]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cold_start",
        description=__doc__,
        epilog="example: python -m benchmarks.cold_start --codec qwen3-12hz --model DIR --joins 5",
    )
    parser.add_argument("--codec", help="which codec (default: nano, or what the model holds)")
    parser.add_argument("--model", help="folder of an export or of released weights")
    parser.add_argument("--joins", type=int, default=24, help="places in the speech (default: %(default)s)")
    add_report_options(parser, "cold_start")
    given = parser.parse_args()
    pin_to_core(given.core)
    name = given.codec or (None if given.model else "nano")
    encoder, decoder = load_codec(name, model=given.model, threads=1)
    rows = _measure(encoder, decoder, given.joins)
    report(
        Options(core=given.core, seconds=0.0, out=given.out, json=given.json),
        title=f"{decoder.spec.name}: a decoder that starts in mid-stream, {given.joins} joins",
        rows=rows,
        machine=describe_machine(["numpy", "onnxruntime"]),
        notes=[
            "Medians, dB: the same frames of a decoder that was there from the beginning, over the difference to it."
        ],
    )
    return 0


def _measure(encoder: Encoder, decoder: Decoder, joins: int) -> list[Row]:
    size = encoder.spec.frame_size
    with as_file(files("gateway").joinpath("assets", "demo_speech.flac")) as path:
        speech = read_audio(path, encoder.spec.sample_rate)
    frames = len(speech) // size
    codes = _encode(encoder, speech[: frames * size])
    silence = _encode(encoder, np.zeros(20 * size, dtype=np.float32))[:, :, 10:]
    truth = _decode(decoder, codes)[0]
    places = _places_in_speech(truth.reshape(frames, size), joins)
    before: dict[str, Callable[[int], Codes]] = {"nothing": lambda place: codes[:, :, :0]}
    for count in (1, 4, 10):
        before[f"the first frame {count} times"] = partial(_repeated, codes, count)
    for count in (4, 10):
        before[f"{count} frames of silence"] = partial(_always, silence[:, :, :count])
    for count in (1, 2, 4, 8, 16, 32):
        before[f"{count} true frames"] = partial(_true_past, codes, count)
    return [_row(name, make, decoder, codes, truth, places) for name, make in before.items()]


def _repeated(codes: Codes, count: int, place: int) -> Codes:
    return np.repeat(codes[:, :, place : place + 1], count, axis=2)


def _always(codes: Codes, place: int) -> Codes:
    return codes


def _true_past(codes: Codes, count: int, place: int) -> Codes:
    return codes[:, :, place - count : place]


def _row(
    name: str,
    make: Callable[[int], Codes],
    decoder: Decoder,
    codes: Codes,
    truth: NDArray[np.float32],
    places: list[int],
) -> Row:
    """All joins as rows of one batch."""
    size, unheard = decoder.spec.frame_size, make(places[0]).shape[2]
    fed = np.concatenate(
        [np.concatenate([make(place), codes[:, :, place : place + AFTER]], axis=2) for place in places]
    )
    heard = _decode(decoder, fed)[:, unheard * size :]
    first, later = slice(0, round(HEARD_S * decoder.spec.sample_rate)), slice(size * 5, size * 8)
    ratios = [
        [_db(truth[place * size :][part], row[part]) for part in (slice(0, size), first, later)]
        for place, row in zip(places, heard, strict=True)
    ]
    peaks = [
        np.abs(row[first]).max() / np.abs(truth[place * size :][first]).max()
        for place, row in zip(places, heard, strict=True)
    ]
    frame_db, first_db, later_db = np.median(np.array(ratios), axis=0).tolist()
    return {
        "decoded before, unheard": name,
        "first_frame_db": round(frame_db, 1),
        "first_200_ms_db": round(first_db, 1),
        "frames_6_to_8_db": round(later_db, 1),
        "peak_ratio_max": round(float(max(peaks)), 2),
    }


def _db(truth: NDArray[np.float32], heard: NDArray[np.float32]) -> float:
    error = float(np.square(heard - truth).mean())
    return 10 * float(np.log10(max(float(np.square(truth).mean()), 1e-12) / max(error, 1e-12)))


def _places_in_speech(frames: NDArray[np.float32], count: int) -> list[int]:
    """Frames, spread over the clip, where it is louder than half of it, with room before and behind."""
    power = np.square(frames).mean(axis=1)
    loud = [place for place in range(80, len(frames) - AFTER) if power[place] > np.median(power)]
    return [loud[round(index)] for index in np.linspace(0, len(loud) - 1, count)]


def _encode(encoder: Encoder, pcm: NDArray[np.float32]) -> Codes:
    step = STEP * encoder.spec.frame_size
    with encoder.session() as session:
        return np.concatenate([session.encode(pcm[at : at + step]) for at in range(0, len(pcm), step)], axis=2)


def _decode(decoder: Decoder, codes: Codes) -> NDArray[np.float32]:
    with decoder.session(len(codes)) as session:
        parts: list[Any] = [session.decode(codes[:, :, at : at + STEP]) for at in range(0, codes.shape[2], STEP)]
        return np.concatenate(parts, axis=1)


if __name__ == "__main__":
    raise SystemExit(main())
