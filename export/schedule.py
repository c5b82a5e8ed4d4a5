"""The hard schedule of the parity check: rows out of step, and one that begins anew half-way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codec.session import RowMask
from export.frames import Frames, RunFrames, in_steps

RESTARTED_ROW = 1
ACTIVE_SHARE = 0.8
LONGEST_STEP = 25


@dataclass(frozen=True, slots=True)
class Length:
    """Frames that each row gets, and the frame before which the second row is reset; multiples of a step."""

    total: int
    reset_at: int

    @classmethod
    def of(cls, at_least: int, count: int) -> Length:
        half = -(-at_least // (2 * count)) * count
        return cls(2 * half, half)


@dataclass(frozen=True, slots=True)
class Step:
    """What a step does: `first` [rows] is each row's next frame."""

    first: NDArray[np.int64]
    active: RowMask
    reset: RowMask


def steps(length: Length, count: int, rows: int, rng: np.random.Generator) -> Iterator[Step]:
    """Steps of `count` frames until every row has had all its frames."""
    done = np.zeros(rows, dtype=np.int64)
    while done.min() < length.total:
        active = (rng.random(rows) < ACTIVE_SHARE) & (done < length.total)
        if active.any():
            reset = (done == length.reset_at) & (np.arange(rows) == RESTARTED_ROW)
            yield Step(done.copy(), active, reset)
            done += active * count


def in_schedule(
    run: RunFrames,
    restart: Callable[[RowMask], None],
    data: Frames,
    *,
    length: Length,
    count: int,
    rng: np.random.Generator,
) -> tuple[Frames, ...]:
    """`data` [rows, length.total, …] through `run` by the schedule; what rows give while not active is thrown away."""
    results: tuple[Frames, ...] = ()
    for step in steps(length, count, len(data), rng):
        restart(step.reset)
        # A row at its end is not active any more: it is handed frames that it has had.
        first = np.minimum(step.first, length.total - count)
        parts = run(np.stack([data[row, at : at + count] for row, at in enumerate(first.tolist())]), step.active)
        if not results:
            results = tuple(np.zeros((*data.shape[:2], *part.shape[2:]), dtype=part.dtype) for part in parts)
        for result, part in zip(results, parts, strict=True):
            for row in np.flatnonzero(step.active).tolist():
                result[row, first[row] : first[row] + count] = part[row]
    return results


def in_lockstep(
    run: RunFrames, restart: Callable[[RowMask], None], data: Frames, *, length: Length, count: int = LONGEST_STEP
) -> tuple[Frames, ...]:
    """The same streams, every row active in every step of `count` frames: what the schedule must come to."""
    before = in_steps(run, data[:, : length.reset_at], count)
    restart(np.arange(len(data)) == RESTARTED_ROW)
    after = in_steps(run, data[:, length.reset_at :], count)
    return tuple(np.concatenate(parts, axis=1) for parts in zip(before, after, strict=True))
