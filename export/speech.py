"""Speech that the proofs and the calibration run on."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codec.audio.reader import read_audio
from codec.spec import CodecSpec
from export.errors import ExportError

LEVELS = (1.0, 0.3, 0.05)
"""Gains of the rows: codecs meet loud and quiet talkers."""

MAX_CALIBRATION_S = 120
"""More of a calibration file is not read: the ranges it is for have settled long before."""


def bundled_speech(spec: CodecSpec) -> NDArray[np.float32]:
    """The CC0 recording in the package (`codec/assets/CREDITS.md`), [samples] at the codec's rate."""
    with as_file(files("codec").joinpath("assets", "speech_cc0.flac")) as path:
        return read_audio(path, spec.sample_rate)


def speech_rows(rows: int, frames: int, spec: CodecSpec) -> NDArray[np.float32]:
    """pcm [rows, frames, frame_size] for a parity check: each row begins elsewhere and has another level.

    The recording loops; the second row has a second of digital silence in every six.
    """
    speech = bundled_speech(spec)
    result = np.empty((rows, frames * spec.frame_size), dtype=np.float32)
    for row in range(rows):
        place = row * (len(speech) // (2 * rows)) + np.arange(result.shape[1])
        result[row] = speech[place % len(speech)] * np.float32(LEVELS[row % len(LEVELS)])
        if row == 1:
            result[row, place % (6 * spec.sample_rate) < spec.sample_rate] = 0.0
    return result.reshape(rows, frames, spec.frame_size)


def speech_for_calibration(spec: CodecSpec, file: Path | None) -> NDArray[np.float32]:
    """pcm [len(LEVELS), N, frame_size]: the beginning of `file`, or the first half of the bundled recording.

    Raises ExportError where `file` has less than a frame, AudioFileError where it cannot be read.
    """
    if file is None:
        speech = bundled_speech(spec)
        speech = speech[: len(speech) // 2]
    else:
        speech = read_audio(file, spec.sample_rate)[: MAX_CALIBRATION_S * spec.sample_rate]
    return _at_all_levels(speech, spec)


def speech_for_judging(spec: CodecSpec) -> NDArray[np.float32]:
    """pcm [len(LEVELS), N, frame_size]: the half of the bundled recording that calibration does not hear."""
    speech = bundled_speech(spec)
    return _at_all_levels(speech[len(speech) // 2 :], spec)


def _at_all_levels(speech: NDArray[np.float32], spec: CodecSpec) -> NDArray[np.float32]:
    frames = len(speech) // spec.frame_size
    if not frames:
        raise ExportError(f"The audio for calibration has {len(speech)} samples, not one frame of {spec.frame_size}")
    whole = speech[: frames * spec.frame_size].reshape(frames, spec.frame_size)
    return whole * np.array(LEVELS, dtype=np.float32)[:, None, None]
