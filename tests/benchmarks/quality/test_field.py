"""Who takes part, and that everybody gets every recording."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from benchmarks.quality.contenders import RATE_HZ, ContenderError, Rebuilt, Speex
from benchmarks.quality.field import Field, NanoFiles, find_nano, packaged_nano, run_all, run_everybody

Sound = NDArray[np.float32]


@dataclass
class Copier:
    """A codec that loses nothing."""

    codec: str = "Copier"
    variants: tuple[str, ...] = ("all of it",)

    def rebuild(self, recording: Sound) -> Iterator[Rebuilt]:
        yield Rebuilt(self.codec, "all of it", recording, 16 * recording.size, recording.size / RATE_HZ)


@dataclass
class Stumbler(Copier):
    """One that cannot be run."""

    codec: str = "Stumbler"

    def rebuild(self, recording: Sound) -> Iterator[Rebuilt]:
        raise ContenderError("there is no such program")
        yield


@pytest.fixture
def recordings(speech: Sound, tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{name}.wav" for name in ("b", "a")]
    for path in paths:
        soundfile.write(path, speech, RATE_HZ)
    return paths


@pytest.mark.usefixtures("only_stoi")
def test_one_that_cannot_be_run_is_left_out_and_the_others_go_on(recordings: list[Path]) -> None:
    result = run_everybody([Stumbler(), Copier()], recordings[0])
    assert [(each.codec, each.recording) for each in result.scores] == [("Copier", "b.wav")]
    assert result.left_out == {"Stumbler": "there is no such program"}


@pytest.mark.usefixtures("only_stoi")
def test_results_are_in_the_order_of_the_recordings_and_told_of_one_by_one(recordings: list[Path]) -> None:
    told: list[str] = []
    field = Field((), (), others=(Copier(),))
    results = run_all(field, recordings, jobs=1, on_result=lambda result: told.append(result.recording))
    assert [result.recording for result in results] == told == ["b.wav", "a.wav"]


def test_more_processes_give_the_same(recordings: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With nobody who can be run: what measures need takes seconds to load in every process."""
    monkeypatch.setenv("PATH", str(tmp_path))
    field = Field((), (), others=(Speex(),))
    one, two = (run_all(field, recordings, jobs=jobs, on_result=lambda result: None) for jobs in (1, 2))
    assert one == two
    assert [result.recording for result in two] == ["b.wav", "a.wav"]
    assert "no speexenc" in two[0].left_out["Speex wideband"]


def test_the_packaged_nano_takes_part_by_its_layers() -> None:
    files = find_nano(packaged_nano(), "fp32", name="nano-1")
    nano, other = Field([files], (1, 16), others=(Copier(),)).contenders()
    assert (nano.codec, list(nano.variants), other.codec) == ("nano-1", ["1 layer", "16 layers"], "Copier")


@pytest.mark.parametrize("form", ["int8", "int8-reduced"])
def test_of_int8_one_half_is_enough_and_the_other_is_in_float(form: str, tmp_path: Path) -> None:
    for name in ("encoder", "decoder", f"decoder.{form}"):
        (tmp_path / f"{name}.onnx").touch()
    expected = NanoFiles("n", tmp_path / "encoder.onnx", tmp_path / f"decoder.{form}.onnx")
    assert find_nano(tmp_path, "int8", name="n") == expected


def test_a_folder_without_a_nano_is_refused_by_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(ContenderError, match="neither an encoder nor a decoder in fp32"):
        find_nano(tmp_path, "fp32", name="n")
    (tmp_path / "decoder.int8.onnx").touch()
    with pytest.raises(ContenderError, match=r"lacks encoder\.onnx"):
        find_nano(tmp_path, "int8", name="n")
