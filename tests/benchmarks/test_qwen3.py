"""What the comparison with the official package rests on: its workers, its files, its last line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.harness import Row
from benchmarks.qwen3.__main__ import figures
from benchmarks.qwen3.contenders import snr_db
from benchmarks.qwen3.models import OnnxFile, onnx_files
from benchmarks.qwen3.pipe import Worker, WorkerError

CHATTERBOX = """
print("a library says something while it is imported")
import os, sys
from benchmarks.qwen3.pipe import Answer, serve

def double(arrays, parameters):
    print("and while it works")
    return Answer({name: parameters["times"] * value for name, value in arrays.items()}, {"sum": 3})

def stumble(arrays, parameters):
    raise ValueError("a stone")

def die(arrays, parameters):
    sys.stderr.write("last words")
    sys.stderr.flush()
    os._exit(3)

serve({"double": double, "stumble": stumble, "die": die})
"""


@pytest.fixture
def worker() -> Iterator[Worker]:
    with Worker([sys.executable, "-c", CHATTERBOX]) as started:
        yield started


def test_a_worker_gives_back_arrays_and_values_whatever_is_printed_beside_them(worker: Worker) -> None:
    for times in (2, 5):
        answer = worker.ask("double", {"codes": np.arange(3), "pcm": np.ones((1, 2), np.float32)}, times=times)
        np.testing.assert_array_equal(answer.arrays["codes"], times * np.arange(3))
        assert answer.arrays["pcm"].dtype == np.float32
        assert answer.values == {"sum": 3}


def test_an_error_in_a_worker_is_told_and_the_worker_goes_on_until_it_dies(worker: Worker) -> None:
    with pytest.raises(WorkerError, match="stumble: ValueError: a stone"):
        worker.ask("stumble")
    assert worker.ask("double", {}, times=1).arrays == {}
    with pytest.raises(WorkerError, match=r"(?s)ended with code 3.*last words"):
        worker.ask("die")


def test_every_file_is_measured_with_the_steps_it_takes(tmp_path: Path) -> None:
    for name in ("decoder", "decoder.int8", "decoder.int8.4frames", "encoder"):
        (tmp_path / f"{name}.onnx").touch()
    found = list(onnx_files(tmp_path))
    assert [(file.path.stem, file.form, file.frames) for file in found] == [
        ("decoder", "fp32", 1), ("decoder", "fp32", 4), ("decoder.int8", "int8", 1), ("decoder.int8", "int8", 4),
        ("decoder.int8.4frames", "int8", 4), ("encoder", "fp32", 1), ("encoder", "fp32", 4),
    ]  # fmt: skip
    assert OnnxFile("decoder", Path("decoder.int8-reduced.onnx"), 1).form == "int8-reduced"


def test_the_last_line_has_the_fastest_file_of_a_form_and_a_dash_for_what_was_not_measured() -> None:
    def row(what: str, frames: int, milliseconds: float) -> Row:
        return {
            "half": "decoder", "what": what, "frames_per_step": frames, "ms_per_step": milliseconds,
            "real_time_factor": milliseconds / (80 * frames), "times_cheaper": 1800 * frames / milliseconds,
        }  # fmt: skip

    line = figures([row("ONNX fp32", 1, 90.0), row("ONNX fp32", 1, 60.0), row("official chunked_decode", 1, 1800.0)])
    assert "official windowed step 1800 ms" in line
    assert "ONNX fp32 N=1 60.0 ms, 30.0 times cheaper" in line
    assert "int8 RTF - at N=1" in line
    line = figures([row("ONNX int8-reduced", 1, 32.0), row("ONNX int8-all-reduced", 1, 16.0)])
    assert "int8 RTF 0.400 at N=1 (aim 0.42), - at N=4 (aim 0.35), all layers in int8 0.200, -" in line


def test_signal_to_noise_is_in_decibels_and_infinite_for_equal_signals() -> None:
    truth = np.full(100, 1.0)
    assert snr_db(truth, truth + 0.1) == pytest.approx(20)
    assert snr_db(truth, truth) == float("inf")
