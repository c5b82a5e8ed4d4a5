"""Blocks of any size become frames of one size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.errors import FrameSizeError
from codec.framing import FrameAssembler


@given(sizes=st.lists(st.integers(0, 50), max_size=30), frame_size=st.integers(1, 20))
def test_frames_are_the_same_whatever_the_blocks(sizes: list[int], frame_size: int) -> None:
    sound = np.arange(sum(sizes), dtype=np.float32)
    assembler = FrameAssembler(frame_size)
    frames, position = [], 0
    for size in sizes:
        frames += assembler.push(sound[position : position + size])
        position += size
        assert assembler.pending == position % frame_size
    last = assembler.flush()
    frames += [] if last is None else [last]
    assert all(frame.shape == (frame_size,) and frame.dtype == np.float32 for frame in frames)
    joined = np.concatenate(frames) if frames else np.zeros(0, dtype=np.float32)
    np.testing.assert_array_equal(joined[: sound.size], sound)
    assert not joined[sound.size :].any()
    assert joined.size - sound.size < frame_size


def test_frames_stay_as_they_are_when_more_comes() -> None:
    assembler = FrameAssembler(2)
    (first,) = assembler.push([1.0, 2.0])
    assembler.push([3.0, 4.0])
    assert first.tolist() == [1, 2]


def test_flush_twice_gives_the_remainder_once() -> None:
    assembler = FrameAssembler(3)
    assembler.push([1.0])
    last = assembler.flush()
    assert last is not None
    assert last.tolist() == [1, 0, 0]
    assert assembler.flush() is None


def test_clear_forgets_the_remainder() -> None:
    assembler = FrameAssembler(3)
    assembler.push([1.0, 2.0])
    assembler.clear()
    assert assembler.pending == 0
    assert assembler.push([5.0, 6.0, 7.0])[0].tolist() == [5, 6, 7]


def test_only_mono_blocks_are_taken() -> None:
    with pytest.raises(FrameSizeError, match="mono"):
        FrameAssembler(3).push(np.zeros((2, 3)))


def test_a_frame_has_samples() -> None:
    with pytest.raises(FrameSizeError, match="at least one"):
        FrameAssembler(0)
