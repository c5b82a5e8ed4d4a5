"""The same speech in every form, cut into steps of 80 ms: real codes of nano, real frames of Opus and Codec2, PCM."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

from benchmarks.quality.contenders import (
    CODEC2_FRAMES,
    CODEC2_RATE_HZ,
    RATE_HZ,
    ContenderError,
    Samples,
    find_program,
    run_program,
)
from codec import Tokenizer, read_audio
from codec.packaged import PACKAGED_VERSIONS, packaged_folder
from protocol.entropy import TABLES_NAME, EntropyTables, decode_tables

STEP_S: Final = 0.08
PCM_RATES_HZ: Final = (16000, 24000)
OPUS_KBPS: Final = (6, 16)
CODEC2_MODES: Final = ("3200", "1200", "700C")

_OPUS_FRAME_MS: Final = 20


@dataclass(frozen=True, slots=True, eq=False)
class Speech:
    """One recording in all forms, the same seconds of each; steps are taken round and round.

    codes: [16 layers, T frames], one a step. tables: that entropy coding takes. coded: by name, the bytes of each step,
    of others than ours.
    """

    codes: NDArray[np.uint16]
    tables: EntropyTables
    coded: Mapping[str, Sequence[bytes]]


def load_speech() -> Speech:
    """The bundled recording through every encoder. Raises ContenderError where a program is missing."""
    with as_file(files("gateway").joinpath("assets", "demo_speech.flac")) as path:
        by_rate = {rate: read_audio(path, rate) for rate in (*PCM_RATES_HZ, CODEC2_RATE_HZ)}
    steps = int(len(by_rate[RATE_HZ]) / (STEP_S * RATE_HZ))
    cut = {rate: samples[: round(steps * STEP_S * rate)] for rate, samples in by_rate.items()}
    tokens = Tokenizer.load("nano", device="cpu", engine="onnx").encode((cut[RATE_HZ], RATE_HZ))
    coded: dict[str, Sequence[bytes]] = {
        f"PCM {rate // 1000} kHz": _even(_pcm(cut[rate]), steps, what="PCM") for rate in PCM_RATES_HZ
    }
    coded |= {f"Opus {kbps} kbit/s": _opus(cut[RATE_HZ], kbps, steps) for kbps in OPUS_KBPS}
    coded |= {f"Codec2 {mode}": _codec2(cut[CODEC2_RATE_HZ], mode, steps) for mode in CODEC2_MODES}
    tables = decode_tables(packaged_folder(PACKAGED_VERSIONS["nano"]).joinpath(TABLES_NAME).read_bytes())
    return Speech(np.asarray(tokens.codes[0], dtype=np.uint16)[:, :steps], tables, coded)


def _pcm(samples: Samples) -> bytes:
    return np.round(32767 * np.clip(samples, -1.0, 1.0)).astype("<i2").tobytes()


def _opus(samples: Samples, kbps: int, steps: int) -> Sequence[bytes]:
    """Four frames of 20 ms a step, all of one length: nothing needs to say where one ends."""
    with tempfile.TemporaryDirectory(prefix="voxwire-") as folder:
        sound, coded = Path(folder, "in.wav"), Path(folder, "coded.opus")
        soundfile.write(sound, samples, RATE_HZ, subtype="PCM_16")
        options = ("--hard-cbr", "--bitrate", str(kbps), "--framesize", str(_OPUS_FRAME_MS))
        run_program([find_program("opusenc", "opus-tools"), "--quiet", *options, str(sound), str(coded)])
        with av.open(str(coded)) as container:
            packets = [bytes(packet) for packet in container.demux(container.streams.audio[0]) if packet.size]
    per_step = round(1000 * STEP_S) // _OPUS_FRAME_MS
    if len(packets) < steps * per_step or len({len(packet) for packet in packets[: steps * per_step]}) != 1:
        raise ContenderError(f"opusenc gave {len(packets)} packets, expected {steps * per_step} of one length")
    return [b"".join(packets[step * per_step : (step + 1) * per_step]) for step in range(steps)]


def _codec2(samples: Samples, mode: str, steps: int) -> Sequence[bytes]:
    """Its frames without the bits that fill up the last byte of each in c2enc's output."""
    frame_bits, frame_size = CODEC2_FRAMES[mode]
    coded = run_program([find_program("c2enc", "codec2"), mode, "-", "-"], _pcm(samples))
    frames = np.frombuffer(coded, np.uint8).reshape(-1, -(-frame_bits // 8))
    bits = np.unpackbits(frames, axis=1)[:, :frame_bits]
    return _even(np.packbits(bits).tobytes()[: steps * _step_bytes(frame_bits, frame_size)], steps, what="Codec2")


def _step_bytes(frame_bits: int, frame_size: int) -> int:
    return round(STEP_S * CODEC2_RATE_HZ) // frame_size * frame_bits // 8


def _even(data: bytes, steps: int, *, what: str) -> Sequence[bytes]:
    """`data` in so many pieces of one length."""
    size, rest = divmod(len(data), steps)
    if rest or not size:
        raise ContenderError(f"{what}: {len(data)} bytes do not make {steps} steps")
    return [data[step * size : (step + 1) * size] for step in range(steps)]
