"""Two recordings side by side, or one and what a codec makes of it: delay, ratios, measures of speech, a picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codec.audio.inputs import open_input
from codec.audio.resample import Resampler
from codec.comparison.alignment import SCORE_RATE_HZ, align
from codec.comparison.measures import measure
from codec.comparison.picture import Take, draw_spectrograms
from codec.errors import AudioFileError, CodecError, OutputFileError
from codec.files.whole_file import WholeFile
from codec.session import Samples
from codec.tokenizer import Tokenizer

PICTURE_RATES_HZ = (16000, 24000, 48000)
"""The picture shows frequencies up to half of one of these: the lowest that leaves nothing out of the rebuilt one."""

_SILENCE_POWER = 1e-12
_LABELS = {"stoi": "STOI", "pesq_wb": "PESQ-WB", "speaker_similarity": "voice", "utmos_degraded": "UTMOS"}
_COLOURS = "#f2b866", "#6cc7c1"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Measures of a degraded recording against its reference.

    delay_ms: how much the degraded one lags. snr_db after lining up, si_sdr_db also with the best gain: both say little
    about a neural codec, which rebuilds the sound, not the wave. The others: `codec.comparison.measures.measure`;
    what is None is named in `not_measured` with the reason. seconds: of sound compared.
    """

    delay_ms: float
    snr_db: float | None
    si_sdr_db: float | None
    stoi: float | None
    pesq_wb: float | None
    pesq_nb: float | None
    speaker_similarity: float | None
    utmos_reference: float | None
    utmos_degraded: float | None
    seconds: float
    reference_seconds: float
    degraded_seconds: float
    reference_rms: float
    degraded_rms: float
    picture: str | None = None
    not_measured: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class _Recording:
    """Samples [T] at `rate` Hz. name, caption: for the picture."""

    samples: Samples
    rate: int
    name: str
    caption: str

    def at(self, rate: int) -> Samples:
        """The same at another rate."""
        resampler = Resampler(self.rate, rate)
        return np.concatenate([resampler.process(self.samples), resampler.flush()])


def compare_files(reference: Path | str, degraded: Path | str, *, picture: Path | None = None) -> Comparison:
    """Compare two recordings of any kind, files or addresses. picture: a PNG to write, original above rebuilt.

    Raises AudioFileError, AddressError, OutputFileError, and CodecError for a picture where matplotlib is missing.
    """
    return _compare(_read(reference, "original"), _read(degraded, "degraded"), picture)


def compare_codec(
    reference: Path | str, tokenizer: Tokenizer, *, layers: int | None = None, picture: Path | None = None
) -> Comparison:
    """Compare a recording with what `tokenizer` makes of it, by its first `layers` layers. Else as `compare_files`."""
    original = _read(reference, "original")
    tokens = tokenizer.encode((original.samples, original.rate), layers=layers)
    (rebuilt,), rate = tokenizer.decode(tokens)
    spec = tokenizer.spec
    bit_rate = spec.bit_rate * tokens.layers / spec.num_layers
    caption = f"{spec.name}, {tokens.layers} of {spec.num_layers} layers, {bit_rate / 1000:.2f} kbit/s"
    return _compare(original, _Recording(rebuilt, rate, "rebuilt", caption), picture)


def _read(source: Path | str, name: str) -> _Recording:
    """A whole recording as mono at the rate it has."""
    with open_input(source, None) as reader:
        samples = np.concatenate([*reader, np.zeros(0, dtype=np.float32)])
        return _Recording(samples, reader.sample_rate, name, Path(reader.name).name)


def _compare(reference: _Recording, degraded: _Recording, picture: Path | None) -> Comparison:
    aligned = align(reference.at(SCORE_RATE_HZ), degraded.at(SCORE_RATE_HZ))
    if aligned.reference.size == 0:
        text = f"{degraded.caption} is too short to be compared"
        raise AudioFileError(text, path=Path(degraded.caption), reason="empty")
    one, other = aligned.reference.astype(np.float64), aligned.degraded.astype(np.float64)
    measures = measure(aligned.reference, aligned.degraded)
    if picture is not None:
        _draw(picture, reference, degraded, aligned.delay / SCORE_RATE_HZ, measures.values)
    return Comparison(
        delay_ms=round(1000 * aligned.delay / SCORE_RATE_HZ, 3),
        snr_db=_ratio_db(one, one - other),
        si_sdr_db=_si_sdr_db(one, other),
        **measures.values,
        seconds=round(one.size / SCORE_RATE_HZ, 3),
        reference_seconds=round(reference.samples.size / reference.rate, 3),
        degraded_seconds=round(degraded.samples.size / degraded.rate, 3),
        reference_rms=float(np.sqrt(np.mean(one**2))),
        degraded_rms=float(np.sqrt(np.mean(other**2))),
        picture=None if picture is None else str(picture),
        not_measured=measures.missing,
    )


def _draw(
    path: Path, reference: _Recording, degraded: _Recording, delay_s: float, values: dict[str, float | None]
) -> None:
    wanted = min(max(reference.rate, degraded.rate), PICTURE_RATES_HZ[-1])
    rate = next(each for each in PICTURE_RATES_HZ if each >= wanted)
    shift = round(delay_s * rate)
    one, other = reference.at(rate)[max(-shift, 0) :], degraded.at(rate)[max(shift, 0) :]
    takes = (
        Take(one, reference.name, reference.caption, _COLOURS[0]),
        Take(other, degraded.name, degraded.caption, _COLOURS[1]),
    )
    figures = [f"{label} {values[name]:.2f}" for name, label in _LABELS.items() if values[name] is not None]
    try:
        with WholeFile(path) as file:
            if not draw_spectrograms(file.path, takes, rate=rate, heading=" · ".join(["Side by side", *figures])):
                raise CodecError("A picture needs matplotlib: pip install matplotlib, or leave -o out")
    except OSError as error:
        raise OutputFileError(f"Cannot write {path}: {error.strerror or error}") from error


def _ratio_db(signal: NDArray[np.float64], noise: NDArray[np.float64]) -> float | None:
    signal_power, noise_power = float(np.mean(signal**2)), float(np.mean(noise**2))
    if signal_power < _SILENCE_POWER or noise_power == 0.0:
        return None  # silence, or no difference at all
    return round(10 * float(np.log10(signal_power / noise_power)), 2)


def _si_sdr_db(reference: NDArray[np.float64], degraded: NDArray[np.float64]) -> float | None:
    power = float(np.dot(reference, reference))
    if power / reference.size < _SILENCE_POWER:
        return None
    target = reference * (float(np.dot(reference, degraded)) / power)
    return _ratio_db(target, degraded - target)
