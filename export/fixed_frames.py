"""A graph that takes one number of frames a step: what depends on that number alone is computed once, at load.

Same weights, same states, same arithmetic as the open graph. DESIGN section 3 wants one only where it is measured to be
at least 10 % faster: the report beside it has both times.
"""

from __future__ import annotations

from pathlib import Path

from codec.spec import CodecSpec
from export.graph import load_graph, precision_of, save_graph

_FRAMES_AXIS = {"codes": (2, False), "pcm": (1, True), "latents": (1, False)}
"""Axis of time of each input and output that has one, and whether it counts samples."""


def fix_frames(source: Path, target: Path, *, frames: int, spec: CodecSpec) -> Path:
    """Write `source` to `target`, in the same folder, for steps of exactly `frames` frames; both read one data file."""
    model = load_graph(source, data=False)
    for value in (*model.graph.input, *model.graph.output):
        if value.name in _FRAMES_AXIS:
            axis, in_samples = _FRAMES_AXIS[value.name]
            value.type.tensor_type.shape.dim[axis].dim_value = frames * (spec.frame_size if in_samples else 1)
    return save_graph(model, target, precision=precision_of(model))
