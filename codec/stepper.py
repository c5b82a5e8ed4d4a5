"""Runs a stateful ONNX graph step by step: buffers made once, bound by name once, states swapped instead of copied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from codec.denormals import DenormalGuard
from codec.errors import FrameSizeError, ModelError
from codec.model_file import DATA_INPUT, DATA_OUTPUT, NEW_STATE_PREFIX, OnnxModel

MAX_FRAMES_PER_STEP = 25
"""Longest step the export promises (two seconds); also the bound on how many buffer sets a session can hold."""

MAX_BATCH_SIZE = 1024
"""Rows of one session; a bound against a typing error, not a recommendation."""

_Array = NDArray[Any]


@dataclass(slots=True)
class _Tensor:
    """One tensor at a fixed place: `value` is what ONNX Runtime sees; on the CPU `array` is the very same memory."""

    array: _Array
    value: ort.OrtValue

    @classmethod
    def zeros(cls, shape: tuple[int, ...], dtype: str, device: str) -> _Tensor:
        array = np.zeros(shape, dtype=dtype)
        return cls(array, ort.OrtValue.ortvalue_from_numpy(array, device, 0))


@dataclass(slots=True)
class _StepBuffers:
    """What a step of one length needs. `bindings[i]` reads the states of bank i and writes those of the other."""

    data: _Tensor
    result: _Tensor
    bindings: tuple[ort.IOBinding, ort.IOBinding]


class Stepper:
    """The state of `batch_size` rows of one model, moved on by `step`. For one thread at a time.

    A step that fails leaves every state as it was. Two banks of states take turns: a step reads one and writes the
    other, so nothing is copied, and ONNX Runtime never writes where it reads.
    """

    def __init__(self, model: OnnxModel, batch_size: int, extra_outputs: tuple[str, ...] = ()) -> None:
        if not 1 <= batch_size <= MAX_BATCH_SIZE:
            raise FrameSizeError(f"A session has 1 to {MAX_BATCH_SIZE} rows, not {batch_size}")
        if model.fixed_batch not in (None, batch_size):
            raise ModelError(f"{model.path} was made for {model.fixed_batch} rows at once, not {batch_size}")
        unknown = [name for name in extra_outputs if name not in model.extra_outputs]
        if unknown:
            raise ModelError(f"{model.path} has no output {unknown[0]} — it has {list(model.extra_outputs)}")
        self.model = model
        self.batch_size = batch_size
        self.max_frames = model.fixed_frames or MAX_FRAMES_PER_STEP
        self.extras: dict[str, _Array] = {}
        self._extra_outputs = extra_outputs
        self._device = model.active_provider
        self._on_cpu = self._device == "cpu"
        self._run = model.runtime.run_with_iobinding
        self._guard = DenormalGuard()
        self._banks = tuple(
            [_Tensor.zeros((batch_size, *state.shape), state.dtype, self._device) for state in model.states]
            for _ in range(2)
        )
        self._bank = 0
        self._active = _Tensor.zeros((batch_size,), "bool", self._device)
        self._reset = _Tensor.zeros((batch_size,), "bool", self._device)
        self._everyone = np.ones(batch_size, dtype=np.bool_)
        self._pending: NDArray[np.bool_] = np.zeros(batch_size, dtype=np.bool_)
        self._any_pending = False
        self._all_active = False
        self._buffers: dict[int, _StepBuffers] = {}
        self._closed = False

    def close(self) -> None:
        """Drop the buffers; the stepper is of no use afterwards."""
        self._closed = True
        self._buffers.clear()
        self._banks = ([], [])

    def clone(self) -> Stepper:
        """Another stepper that stands where this one does; from here on each goes its own way."""
        if self._closed:
            raise RuntimeError("the session is closed: it lives as long as its `with` block")
        twin = Stepper(self.model, self.batch_size, self._extra_outputs)
        for ours, theirs in zip(self._banks[self._bank], twin._banks[twin._bank], strict=True):
            # On a device `array` is only what was last sent there: the state is in `value`.
            np.copyto(theirs.array, ours.array if self._on_cpu else ours.value.numpy())
            twin._upload(theirs)
        twin._pending[:] = self._pending
        twin._any_pending = self._any_pending
        twin.extras = dict(self.extras)
        return twin

    def row_mask(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """`mask` as a bool [B] array. Raises FrameSizeError for any other."""
        rows = np.asarray(mask)
        if rows.dtype != np.bool_ or rows.shape != (self.batch_size,):
            raise FrameSizeError(f"A row mask is bool [{self.batch_size}], not {rows.dtype} {list(rows.shape)}")
        return rows

    def mark_reset(self, rows: NDArray[np.bool_] | None) -> None:
        """Reset these rows (None: all) in the next step in which they are active."""
        self._pending |= self._everyone if rows is None else self.row_mask(rows)
        self._any_pending = bool(self._pending.any())

    def restart(self) -> None:
        """Back to the zeros of a new session, at once and for all rows: what warm-up ran is forgotten."""
        for tensor in self._banks[0] + self._banks[1]:
            tensor.array.fill(0)
            self._upload(tensor)
        self._pending[:] = False
        self._any_pending = False

    def step(self, data: _Array, frames: int, active: NDArray[np.bool_] | None) -> _Array:
        """Run `frames` (at most `max_frames`) frames of `data`, for the `active` rows [B] (None: all).

        Returns a new array. Rows that are not active keep their state bit for bit; their part of the result means
        nothing. `data` has been checked: it may not hold what the graph must not see.
        """
        if self._closed:
            raise RuntimeError("the session is closed: it lives as long as its `with` block")
        buffers = self._buffers.get(frames) or self._make_buffers(frames)
        self._set_active(active)
        if self._any_pending:
            np.logical_and(self._pending, self._active.array, out=self._reset.array)
            self._upload(self._reset)
        np.copyto(buffers.data.array, data)
        self._upload(buffers.data)
        binding = buffers.bindings[self._bank]
        if not self._on_cpu:
            binding.synchronize_inputs()
        self._guard.enter()
        try:
            self._run(binding)
        except Exception as error:  # ONNX Runtime's exceptions have no common base below Exception
            raise ModelError(f"{self.model.path} failed while running: {error}") from error
        finally:
            self._guard.leave()
            if self._any_pending:
                self._reset.array.fill(False)
                self._upload(self._reset)
        if self._any_pending:
            self._pending &= ~self._active.array
            self._any_pending = bool(self._pending.any())
        self._bank = 1 - self._bank
        if self._extra_outputs:
            self._fetch_extras(binding)
        return buffers.result.array.copy() if self._on_cpu else buffers.result.value.numpy()

    def _set_active(self, active: NDArray[np.bool_] | None) -> None:
        if active is None:
            if self._all_active:
                return
            active = self._everyone
        np.copyto(self._active.array, active)
        self._all_active = bool(active.all())
        self._upload(self._active)

    def _upload(self, tensor: _Tensor) -> None:
        if not self._on_cpu:
            tensor.value.update_inplace(tensor.array)

    def _make_buffers(self, frames: int) -> _StepBuffers:
        if not 1 <= frames <= self.max_frames or self.model.fixed_frames not in (None, frames):
            expected = self.model.fixed_frames or f"1 to {self.max_frames}"
            raise FrameSizeError(f"{self.model.path} takes {expected} frames a step, not {frames}")
        spec = self.model.spec
        pcm_shape = (self.batch_size, frames * spec.frame_size)
        codes_shape = (self.batch_size, spec.num_layers, frames)
        if self.model.half == "encoder":
            data = _Tensor.zeros(pcm_shape, "float32", self._device)
            result = _Tensor.zeros(codes_shape, "int64", self._device)
        else:
            data = _Tensor.zeros(codes_shape, "int64", self._device)
            result = _Tensor.zeros(pcm_shape, "float32", self._device)
        buffers = _StepBuffers(data, result, (self._bind(data, result, 0), self._bind(data, result, 1)))
        self._buffers[frames] = buffers
        return buffers

    def _bind(self, data: _Tensor, result: _Tensor, bank: int) -> ort.IOBinding:
        half = self.model.half
        binding = self.model.runtime.io_binding()
        binding.bind_ortvalue_input(DATA_INPUT[half][0], data.value)
        binding.bind_ortvalue_input("active", self._active.value)
        binding.bind_ortvalue_input("reset", self._reset.value)
        binding.bind_ortvalue_output(DATA_OUTPUT[half][0], result.value)
        for state, old, new in zip(self.model.states, self._banks[bank], self._banks[1 - bank], strict=True):
            binding.bind_ortvalue_input(state.name, old.value)
            binding.bind_ortvalue_output(NEW_STATE_PREFIX + state.name, new.value)
        for name in self._extra_outputs:
            binding.bind_output(name, "cpu")
        return binding

    def _fetch_extras(self, binding: ort.IOBinding) -> None:
        first = 1 + len(self.model.states)
        values = binding.get_outputs()[first:]
        self.extras = {name: value.numpy().copy() for name, value in zip(self._extra_outputs, values, strict=True)}
