"""Several recordings as rows of one session: each runs its own length, and the next takes the row of one that ended.

Codecs here are causal, so a chunk that ends before the others is padded, and what comes of the padding is dropped: the
codes and the sound of a recording are those it has alone. A row without a recording is inactive.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from codec.errors import CodecError
from codec.session import Decoder, Encoder, RowMask

_Array = NDArray[Any]


class RowJob(Protocol):
    """One recording on its way through a row.

    An error of the recording itself, which is a CodecError out of `start`, `take`, `put` or `finish`, is handed to
    `fail`: it may note it, and the others go on, or raise it, which ends them all. `discard` removes what was written
    and never raises; every job that has started ends by exactly one of `finish`, `fail` and `discard`.
    """

    def start(self) -> None:
        """Open what it reads and what it writes."""

    def take(self) -> _Array:
        """The next 1 to 25 frames, [N·frame_size] samples or [num_layers, N] codes; empty at the end. It may be called
        from another thread, and while `put` is; never after the end of the job."""

    def put(self, result: _Array) -> None:
        """What became of the frames of the last `take`: codes [K, N] or samples [N·frame_size]."""

    def finish(self) -> None:
        """All of it went through."""

    def fail(self, error: CodecError) -> None:
        """It cannot go on."""

    def discard(self) -> None:
        """The work was broken off."""


def encode_rows(encoder: Encoder, jobs: Iterable[RowJob], *, rows: int = 1) -> None:
    """Run every job through `rows` rows of an encoder. Raises what the model raises, and what a job's `fail` does."""
    size = encoder.spec.frame_size
    with encoder.session(rows) as session:

        def step(chunks: list[_Array | None], frames: int, active: RowMask | None) -> Iterator[_Array]:
            samples = np.zeros((rows, frames * size), dtype=np.float32)
            for row, chunk in enumerate(chunks):
                if chunk is not None:
                    samples[row, : chunk.size] = chunk
            codes = session.encode(samples, active)
            for row, chunk in enumerate(chunks):
                yield codes[row, :, : 0 if chunk is None else chunk.size // size]

        _Rows(jobs, rows, frames_of=lambda chunk: chunk.size // size).run(step, session.reset)


def decode_rows(decoder: Decoder, jobs: Iterable[RowJob], *, rows: int = 1) -> None:
    """Run every job through `rows` rows of a decoder; a job's codes are complete and checked. Raises as above."""
    size, layers = decoder.spec.frame_size, decoder.spec.num_layers
    with decoder.session(rows) as session:

        def step(chunks: list[_Array | None], frames: int, active: RowMask | None) -> Iterator[_Array]:
            codes = np.zeros((rows, layers, frames), dtype=np.int64)
            for row, chunk in enumerate(chunks):
                if chunk is not None:
                    codes[row, :, : chunk.shape[1]] = chunk
            samples = session.decode(codes, active)
            for row, chunk in enumerate(chunks):
                yield samples[row, : 0 if chunk is None else chunk.shape[1] * size]

        _Rows(jobs, rows, frames_of=lambda chunk: chunk.shape[1]).run(step, session.reset)


_Step = Callable[[list[_Array | None], int, RowMask | None], Iterator[_Array]]


class _Rows:
    """Who sits in which row. With several rows their next chunks are read in threads while the model works: one core
    that decodes and resamples would keep a GPU waiting."""

    def __init__(self, jobs: Iterable[RowJob], rows: int, *, frames_of: Callable[[_Array], int]) -> None:
        self._waiting = iter(jobs)
        self._jobs: list[RowJob | None] = [None] * rows
        self._ahead: list[Future[_Array] | None] = [None] * rows
        self._fresh = np.zeros(rows, dtype=np.bool_)
        self._frames_of = frames_of

    def run(self, step: _Step, reset: Callable[[RowMask], None]) -> None:
        """Until every job has come to its end."""
        rows = len(self._jobs)
        readers = min(rows, os.cpu_count() or 1)
        with ThreadPoolExecutor(readers, "reader") if rows > 1 else nullcontext() as pool:
            try:
                while True:
                    chunks = [self._next_chunk(row) for row in range(rows)]
                    frames = max((self._frames_of(chunk) for chunk in chunks if chunk is not None), default=0)
                    if frames == 0:
                        return
                    if self._fresh.any():
                        reset(self._fresh)
                        self._fresh = np.zeros_like(self._fresh)
                    if pool is not None:
                        self._ahead = [None if job is None else pool.submit(job.take) for job in self._jobs]
                    active = np.array([chunk is not None for chunk in chunks])
                    for row, result in enumerate(step(chunks, frames, None if active.all() else active)):
                        self._put(row, result)
            finally:
                for row, job in enumerate(self._jobs):
                    if job is not None:
                        self._wait(row)
                        job.discard()

    def _next_chunk(self, row: int) -> _Array | None:
        """What this row does next, of the recording in it or of the next one that has something; None: nothing."""
        while True:
            job = self._jobs[row]
            if job is None:
                job = next(self._waiting, None)
                if job is None:
                    return None
                self._jobs[row] = job
                self._fresh[row] = True
                if not self._try(row, job.start):
                    continue
            chunk = self._take(row, job)
            if chunk is None:
                continue
            if chunk.size:
                return chunk
            if self._try(row, job.finish):
                self._jobs[row] = None

    def _put(self, row: int, result: _Array) -> None:
        job = self._jobs[row]
        if job is not None:
            self._try(row, lambda: job.put(result))

    def _take(self, row: int, job: RowJob) -> _Array | None:
        ahead, self._ahead[row] = self._ahead[row], None
        try:
            return job.take() if ahead is None else ahead.result()
        except CodecError as error:
            self._give_up(row, job, error)
            return None

    def _try(self, row: int, action: Callable[[], None]) -> bool:
        job = self._jobs[row]
        assert job is not None
        try:
            action()
        except CodecError as error:
            self._give_up(row, job, error)
            return False
        return True

    def _give_up(self, row: int, job: RowJob, error: CodecError) -> None:
        self._wait(row)
        self._jobs[row] = None
        job.fail(error)

    def _wait(self, row: int) -> None:
        """Until no thread reads for this row any more: what it reads is about to be closed."""
        ahead, self._ahead[row] = self._ahead[row], None
        if ahead is not None:
            wait([ahead])
