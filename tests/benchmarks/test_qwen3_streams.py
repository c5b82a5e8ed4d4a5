"""The search for the most streams, on halves that take as long as they are told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.harness import Row
from benchmarks.qwen3 import streams
from benchmarks.qwen3.streams import Settings, figures, measure
from codec.models.factory import load_torch_codec
from codec.models.live import LiveEncoder

SETTINGS = Settings(device=torch.device("cpu"), mode="auto", steps=4, most_streams=64, recording_s=0.5, chunk_frames=3)


def never(_: int) -> LiveEncoder:
    raise AssertionError("a pretended run makes no half")


def tried(monkeypatch: pytest.MonkeyPatch, most: int, *, no_memory_from: int = 1000) -> list[tuple[int, str]]:
    """Numbers of streams that the search tries, where `most` of them hold."""

    def pretended(_: Any, count: int, *__: Any) -> Row | None:
        found.append((count, "yes" if count <= most else "no"))
        if count >= no_memory_from:
            return None
        return {"streams": count, "holds": found[-1][1]}

    found: list[tuple[int, str]] = []
    monkeypatch.setattr(streams, "_streams", pretended)
    list(streams._capacities(never, [], SETTINGS, print))
    return found


def test_the_search_doubles_and_then_halves_the_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [count for count, _ in tried(monkeypatch, 13)] == [1, 2, 4, 8, 16, 12, 14]
    assert [count for count, _ in tried(monkeypatch, 8)] == [1, 2, 4, 8, 16, 12, 10]
    assert [count for count, _ in tried(monkeypatch, 100)] == [1, 2, 4, 8, 16, 32, 64]
    assert [count for count, _ in tried(monkeypatch, 0)] == [1]
    assert [count for count, _ in tried(monkeypatch, 2)] == [1, 2, 4, 3]


def test_memory_that_ends_is_a_number_that_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [count for count, _ in tried(monkeypatch, 100, no_memory_from=4)] == [1, 2, 4, 3]


def test_a_run_has_a_recording_and_streams_of_both_halves() -> None:
    settings = replace(SETTINGS, most_streams=1)
    rows = list(measure(load_torch_codec("nano", None), settings, say=lambda _: None))
    assert [(row["half"], row["what"], row["streams"]) for row in rows] == [
        ("encoder", "recording", 1),
        ("decoder", "recording", 1),
        ("encoder", "live", 1),
        ("decoder", "live", 1),
    ]
    assert all(list(row) == list(rows[0]) for row in rows), "one table"
    assert rows[0]["audio_s"] == pytest.approx(0.48)
    assert all(np.isfinite(row["ms_per_step_p99"]) for row in rows[2:])  # type: ignore[arg-type]
    line = figures(rows, settings)
    assert line.startswith("figures (cpu): 0.48 s encoded and decoded in ")
