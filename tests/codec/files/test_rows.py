"""Recordings as rows of one session, against each of them alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from codec.errors import CodecError, ModelError, OutputFileError
from codec.files.frame_source import FrameSource
from codec.files.rows import decode_rows, encode_rows
from codec.onnx import OnnxDecoder, OnnxEncoder, OnnxEncoderSession
from codec.spec import CodecSpec

LENGTHS = (1, 8, 9, 199, 200, 201, 997, 4001, 30)


class _Job:
    """Gives the chunks of one input, keeps what comes back, and notes what is called."""

    def __init__(self, chunks: Callable[[], NDArray[Any]], *, fails: dict[str, Exception] | None = None) -> None:
        self._chunks, self._fails = chunks, fails or {}
        self.results: list[NDArray[Any]] = []
        self.calls: list[str] = []

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if call in self._fails:
            raise self._fails[call]

    def start(self) -> None:
        self._note("start")

    def take(self) -> NDArray[Any]:
        self._note("take")
        return self._chunks()

    def put(self, result: NDArray[Any]) -> None:
        self._note("put")
        self.results.append(result.copy())

    def finish(self) -> None:
        self._note("finish")

    def fail(self, error: CodecError) -> None:
        self.calls.append("fail")
        if isinstance(error, OutputFileError):
            raise error

    def discard(self) -> None:
        self.calls.append("discard")


def _sounds() -> list[NDArray[np.float32]]:
    generator = np.random.default_rng(0)
    return [(generator.integers(-8, 9, size) / 8).astype(np.float32) for size in LENGTHS]


def _encode_jobs(spec: CodecSpec, **fails: dict[str, Exception]) -> list[_Job]:
    return [
        _Job(FrameSource(np.array_split(sound, 3), spec).take, fails=fails.get(f"job{number}"))
        for number, sound in enumerate(_sounds())
    ]


@pytest.mark.parametrize("rows", [1, 2, 4, 20])
def test_every_recording_gets_the_codes_it_has_alone(
    encoder_path: Path, toy_spec: CodecSpec, reference_encode: Any, rows: int
) -> None:
    jobs = _encode_jobs(toy_spec)
    encode_rows(OnnxEncoder.load(encoder_path), iter(jobs), rows=rows)
    for job, sound in zip(jobs, _sounds(), strict=True):
        needed = -(-(sound.size + toy_spec.delay_samples) // toy_spec.frame_size)
        padded = np.zeros(needed * toy_spec.frame_size, dtype=np.float32)
        padded[: sound.size] = sound
        np.testing.assert_array_equal(np.concatenate(job.results, axis=1), reference_encode(padded))
        assert (job.calls[0], job.calls[-1]) == ("start", "finish")
        assert "discard" not in job.calls


@pytest.mark.parametrize("rows", [1, 3])
def test_every_recording_gets_the_sound_it_has_alone(decoder_path: Path, reference_decode: Any, rows: int) -> None:
    generator = np.random.default_rng(0)
    codes = [generator.integers(0, 16, (4, frames)) for frames in (1, 25, 26, 70, 3)]

    def chunks(whole: NDArray[np.int64]) -> Callable[[], NDArray[np.int64]]:
        parts = iter(np.array_split(whole, range(25, whole.shape[1], 25), axis=1))
        return lambda: next(parts, np.zeros((4, 0), dtype=np.int64))

    jobs = [_Job(chunks(whole)) for whole in codes]
    decode_rows(OnnxDecoder.load(decoder_path), jobs, rows=rows)
    for job, whole in zip(jobs, codes, strict=True):
        np.testing.assert_allclose(np.concatenate(job.results), reference_decode(whole), atol=1e-6)


@pytest.mark.parametrize("call", ["start", "take", "put", "finish"])
def test_a_recording_that_fails_leaves_the_others_alone(encoder_path: Path, toy_spec: CodecSpec, call: str) -> None:
    alone, jobs = _encode_jobs(toy_spec), _encode_jobs(toy_spec, job6={call: CodecError("broken")})
    for some in (alone, jobs):
        encode_rows(OnnxEncoder.load(encoder_path), some, rows=2)
    assert jobs[6].calls[-1] == "fail"
    assert "discard" not in jobs[6].calls
    for number, (job, other) in enumerate(zip(jobs, alone, strict=True)):
        if number != 6:
            np.testing.assert_array_equal(np.concatenate(job.results, 1), np.concatenate(other.results, 1))


@pytest.mark.parametrize(
    "error", [OutputFileError("the disk is full"), KeyboardInterrupt(), ModelError("failed while running")]
)
def test_what_ends_them_all_leaves_nothing_half_done(
    encoder_path: Path, toy_spec: CodecSpec, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = _encode_jobs(toy_spec, job7={"put": error})  # type: ignore[dict-item]
    if isinstance(error, ModelError):
        jobs[7]._fails = {}

        def fail(*_: object) -> None:
            raise error

        monkeypatch.setattr("codec.onnx.OnnxEncoderSession.encode", fail)
    with pytest.raises(type(error)):
        encode_rows(OnnxEncoder.load(encoder_path), jobs, rows=3)
    for job in jobs:
        if job.calls:
            assert _endings(job.calls) == 1, job.calls


def _endings(calls: Sequence[str]) -> int:
    return sum(call in ("finish", "fail", "discard") for call in calls)


def test_no_recordings_are_no_work(encoder_path: Path) -> None:
    encode_rows(OnnxEncoder.load(encoder_path), [], rows=2)


def test_the_next_chunks_are_read_while_the_model_works(
    encoder_path: Path, toy_spec: CodecSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model's step waits for a chunk that is read only if somebody reads meanwhile."""
    read_ahead = threading.Event()
    main_thread = threading.current_thread()
    jobs = _encode_jobs(toy_spec)
    take = _Job.take

    def noted(job: _Job) -> NDArray[Any]:
        if threading.current_thread() is not main_thread:
            read_ahead.set()
        return take(job)

    def step(session: OnnxEncoderSession, pcm: Any, active: Any = None) -> Any:
        assert read_ahead.wait(10)
        return encode(session, pcm, active)

    encode = OnnxEncoderSession.encode
    monkeypatch.setattr(_Job, "take", noted)
    monkeypatch.setattr(OnnxEncoderSession, "encode", step)
    encode_rows(OnnxEncoder.load(encoder_path), jobs, rows=2)
    assert read_ahead.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("reader")]
