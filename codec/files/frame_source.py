"""A recording as the codec takes it: whole frames, and at its end the silence that pushes its last samples out."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from codec.formats.base import frames_needed
from codec.framing import FrameAssembler
from codec.session import Samples
from codec.spec import CodecSpec

FRAMES_PER_CALL = 25
"""Long steps keep the model busy and the interpreter idle."""


class FrameSource:
    """Blocks [T] of mono samples, T as it comes, as chunks of whole frames. Read once; memory stays that of a chunk.

    After the last sample come zeros up to the end of the last frame, and as many frames as the codec's delay needs.
    """

    def __init__(self, blocks: Iterable[Samples], spec: CodecSpec) -> None:
        self.spec = spec
        self.num_samples = 0
        self._frames_given = 0
        self._blocks = iter(blocks)
        self._assembler = FrameAssembler(spec.frame_size * FRAMES_PER_CALL)
        self._ready: list[Samples] = []
        self._ended = False

    def take(self) -> Samples:
        """The next 1 to 25 frames, float32 [N·frame_size]; empty at the end."""
        while not self._ready and not self._ended:
            self._read()
        if not self._ready:
            return np.zeros(0, dtype=np.float32)
        chunk = self._ready.pop(0)
        self._frames_given += chunk.size // self.spec.frame_size
        return chunk

    def _read(self) -> None:
        block = next(self._blocks, None)
        if block is None:
            self._ended = True
            self._ready.extend(self._rest())
            return
        self.num_samples += block.size
        self._ready.extend(self._assembler.push(block))

    def _rest(self) -> list[Samples]:
        """What is left, padded: no more frames than needed."""
        if self.num_samples == 0:
            return []
        size = self.spec.frame_size
        rest = np.zeros((frames_needed(self.num_samples, self.spec) - self._frames_given) * size, dtype=np.float32)
        pending, remainder = self._assembler.pending, self._assembler.flush()
        if remainder is not None:
            rest[:pending] = remainder[:pending]
        limit = size * FRAMES_PER_CALL
        return [rest[first : first + limit] for first in range(0, rest.size, limit)]
