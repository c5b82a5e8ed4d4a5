"""Many token files, or the recordings of a cache, to a folder of WAV files."""

from __future__ import annotations

import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from codec.audio.wav import HEADER_BYTES
from codec.errors import CodecError, TokenFileError
from codec.files.decode_job import DecodeJob
from codec.files.discovery import AUDIO_SUFFIXES, Found, output_places, safe_place
from codec.files.folder import FolderOptions, FolderRun, Summary
from codec.files.rows import decode_rows
from codec.files.whole_file import make_folder
from codec.formats.kinds import SUFFIXES
from codec.formats.recordings import TokenRecording, recordings_of
from codec.session import Decoder
from codec.spec import CodecSpec


@dataclass(frozen=True, slots=True)
class _Work:
    """One recording and its WAV file."""

    file: Path
    recording: TokenRecording
    target: Path


def decode_folder(inputs: Sequence[Found], target: Path, decoder: Decoder, options: FolderOptions) -> Summary:
    """Decode `inputs` into the folder `target`; the recordings of a collection into a folder of its name, or straight
    into `target` where it is the only input.

    A recording is skipped where its WAV file is there, of the right length and not older than its tokens. One that
    fails is printed and counted. Raises OutputFileError for a disk that takes no more.
    """
    with FolderRun("decoding", len(inputs)) as run:

        def jobs() -> Iterator[DecodeJob]:
            for work in _all_work(inputs, target, run):
                if not options.force and _is_there(work, decoder.spec):
                    run.skipped()
                    continue
                make_folder(work.target.parent)
                yield DecodeJob(
                    *(work.file, work.recording.open, work.target, decoder.spec, run),
                    layers=options.layers,
                    name=work.recording.name,
                )

        decode_rows(decoder, jobs(), rows=options.rows)
    return run.summary


def first_codec(inputs: Sequence[Found]) -> str | None:
    """The name of the codec that made the first recording which says so."""
    for item in inputs:
        try:
            for recording in recordings_of(Path(item.source)):
                with recording.open() as tokens:
                    spec = tokens.spec
                if spec is not None:
                    return spec.name
                break
        except CodecError:
            continue  # said when its turn comes
    return None


def _all_work(inputs: Sequence[Found], target: Path, run: FolderRun) -> Iterator[_Work]:
    places = output_places([item.place for item in inputs], ".wav", SUFFIXES)
    for item, place in zip(inputs, places, strict=True):
        file = Path(item.source)
        try:
            recordings = list(recordings_of(file))
            if not recordings:
                raise TokenFileError(f"{file} holds no recordings")
            run.more(len(recordings))
            if not recordings[0].name:
                yield _Work(file, recordings[0], target / place)
                continue
            folder = target if len(inputs) == 1 else target / place.with_suffix("")
            yield from _of_collection(file, recordings, folder, run)
        except CodecError as error:
            run.failed(str(file), error)


def _of_collection(file: Path, recordings: list[TokenRecording], folder: Path, run: FolderRun) -> Iterator[_Work]:
    named: list[tuple[TokenRecording, PurePosixPath]] = []
    for recording in recordings:
        try:
            named.append((recording, safe_place(recording.name)))
        except CodecError as error:
            run.failed(str(file), error)
    places = output_places([place for _, place in named], ".wav", AUDIO_SUFFIXES)
    for (recording, _), place in zip(named, places, strict=True):
        yield _Work(file, recording, folder / place)


def _is_there(work: _Work, spec: CodecSpec) -> bool:
    try:
        status = work.target.stat()
        if status.st_mtime_ns < work.file.stat().st_mtime_ns:
            return False
        with wave.open(str(work.target), "rb") as file, work.recording.open() as tokens:
            wanted = tokens.num_samples
            if wanted is None:
                wanted = max(tokens.num_frames * spec.frame_size - spec.delay_samples, 0)
            whole = status.st_size == HEADER_BYTES + 2 * wanted  # the header of a file cut short says what it was
            return whole and (file.getframerate(), file.getnframes()) == (spec.sample_rate, wanted)
    except (OSError, EOFError, wave.Error, CodecError):
        return False
