"""What training waits for: tokens read from a cache or from files, against encoding the sound each time it is needed.

Clips of the bundled speech, FLAC at 24 kHz, and their tokens by nano's real weights in every format, all in the page
cache; each is visited in random order by one thread. Processor time, so that neighbours do not count.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch.utils.data import DataLoader

from benchmarks.harness import Cell, describe_machine, parse_options, pin_to_core, report
from codec.audio.reader import read_audio
from codec.files.discovery import AUDIO_SUFFIXES, Found, find_inputs
from codec.files.encode_folder import encode_folder
from codec.files.folder import FolderOptions
from codec.files.frame_source import FrameSource
from codec.formats.kinds import FORMATS
from codec.formats.lmdb_cache import CacheReader
from codec.formats.recordings import open_tokens
from codec.load import load_encoder
from codec.models.token_dataset import TokenBatch, TokenDataset, TokenExample, collate_tokens
from codec.session import Encoder

SPEECH = Path(__file__).parents[1] / "gateway/assets/demo_speech.flac"
CLIPS = 200
CLIP_S = (3.0, 8.0)
PIECE_FRAMES = 25
BATCH = 32

Visit = Callable[[], float]
"""Reads one thing; returns the seconds of sound it got."""


def main() -> int:
    summary = (__doc__ or "").splitlines()[0]
    options = parse_options("token_reading", summary, seconds=3.0, seconds_help="processor seconds for each way")
    pin_to_core(options.core)
    torch.set_num_threads(1)
    machine = describe_machine(["numpy", "torch", "lmdb", "onnxruntime"])
    encoder = load_encoder("nano")
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        clips = _cut_clips(folder / "clips")
        sizes = _encode_all(clips, folder, encoder)
        hours = sum(soundfile.info(str(clip.source)).duration for clip in clips) / 3600
        rows = [
            _row(name, visit, options.seconds, None if kind is None else sizes[kind] / 1e6 / hours)
            for name, kind, visit in _ways(clips, folder, encoder)
        ]
    slowest = rows[-1]["us_per_s_of_sound"]
    for row in rows:
        cost = row["us_per_s_of_sound"]
        assert isinstance(cost, float)
        assert isinstance(slowest, float)
        row["times_cheaper"] = slowest / cost
    report(
        options,
        title=f"Tokens read against sound encoded, {CLIPS} clips of {CLIP_S[0]:g} to {CLIP_S[1]:g} s, nano",
        rows=rows,
        machine=machine,
        notes=[
            "us_per_s_of_sound: processor time, microseconds, for a second of sound. A piece is two seconds of any "
            "recording; it costs the same out of a long one.",
            "mb_per_hour: on the disk, for an hour of sound; an LMDB file has pages of 4 KiB.",
        ],
    )
    return 0


def _cut_clips(folder: Path) -> list[Found]:
    folder.mkdir()
    sound, rate = soundfile.read(SPEECH, dtype="int16")
    generator = np.random.default_rng(0)
    for number in range(CLIPS):
        length = int(generator.uniform(*CLIP_S) * rate)
        first = int(generator.integers(0, len(sound) - length))
        soundfile.write(folder / f"{number:04d}.flac", sound[first : first + length], rate)
    return find_inputs([str(folder)], AUDIO_SUFFIXES)


def _encode_all(clips: list[Found], folder: Path, encoder: Encoder) -> dict[str, int]:
    """The clips in every format; bytes on the disk of each."""
    sizes: dict[str, int] = {}
    for kind in FORMATS:
        target = folder / (f"all.{kind}" if kind == "lmdb" else kind)
        encode_folder(clips, target, kind, encoder, FolderOptions())
        files = [target] if target.is_file() else list(target.iterdir())
        sizes[kind] = sum(file.stat().st_size for file in files)
    return sizes


def _ways(clips: list[Found], folder: Path, encoder: Encoder) -> Iterator[tuple[str, str | None, Visit]]:
    """The last is the one that the others are compared with."""
    generator = np.random.default_rng(1)
    names = [str(clip.place) for clip in clips]
    order = cycle(generator.permutation(len(names)).tolist())
    frame_s = encoder.spec.frame_duration_s
    with CacheReader(folder / "all.lmdb") as cache:

        def whole() -> float:
            return float(cache.codes(names[next(order)]).shape[1] * frame_s)

        def piece() -> float:
            name = names[next(order)]
            first = int(generator.integers(0, cache.num_frames(name) - PIECE_FRAMES))
            return float(cache.codes(name, first=first, frames=PIECE_FRAMES).shape[1] * frame_s)

        yield "LMDB cache, whole recording", "lmdb", whole
        yield "LMDB cache, piece of 2 s", "lmdb", piece
    dataset = TokenDataset(folder / "all.lmdb", frames=PIECE_FRAMES)
    loader = DataLoader(dataset, batch_size=BATCH, shuffle=True, collate_fn=collate_tokens)
    batches = _without_end(loader)
    yield f"LMDB cache, DataLoader, batches of {BATCH}", "lmdb", lambda: float(next(batches)["lengths"].sum()) * frame_s
    for kind in ("vwt", "npz", "pt"):
        paths = [folder / kind / Path(name).with_suffix(f".{kind}") for name in names]

        def from_file(paths: list[Path] = paths) -> float:
            with open_tokens(paths[next(order)]) as tokens:
                return float(np.concatenate(list(tokens), axis=1).shape[1] * frame_s)

        yield f".{kind} file, whole recording", kind, from_file

    def encoded() -> float:
        sound = read_audio(Path(clips[next(order)].source), encoder.spec.sample_rate)
        frames = FrameSource([sound], encoder.spec)
        with encoder.session() as session:
            while (chunk := frames.take()).size:
                session.encode(chunk)
        return sound.size / encoder.spec.sample_rate

    yield "FLAC file, encoded by nano (ONNX)", None, encoded


def _without_end(loader: DataLoader[TokenExample]) -> Iterator[TokenBatch]:
    while True:
        yield from loader


def _row(name: str, visit: Visit, seconds: float, mb_per_hour: float | None) -> dict[str, Cell]:
    for _ in range(3):
        visit()  # buffers warm, files open
    visits, sound_s = 0, 0.0
    begun = time.process_time()
    while (elapsed := time.process_time() - begun) < seconds:
        sound_s += visit()
        visits += 1
    return {
        "way": name,
        "per_second": visits / elapsed,
        "us_per_s_of_sound": 1e6 * elapsed / sound_s,
        "mb_per_hour": mb_per_hour,
        "times_cheaper": None,
    }


if __name__ == "__main__":
    raise SystemExit(main())
