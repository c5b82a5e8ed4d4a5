"""The command, end to end on the toy codec: files, words, exit codes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import wave
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from codec.cli import main
from codec.formats.vwt import TokenReader, TokenWriter
from codec.progress import Progress
from codec.spec import CodecSpec

ReferenceDecode = Callable[[NDArray[Any]], NDArray[np.float32]]
ReferenceEncode = Callable[[NDArray[np.float32]], NDArray[np.int64]]

SAMPLES = 4001


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "sound.wav"
    eighths = np.random.default_rng(0).integers(-8, 9, SAMPLES) / 8
    soundfile.write(path, eighths, 16000, subtype="FLOAT")
    return path


@pytest.fixture
def tokens(tmp_path: Path, sound: Path, model_folder: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = tmp_path / "sound.vwt"
    assert main(["encode", str(sound), "-o", str(path), "--model", str(model_folder)]) == 0
    capsys.readouterr()
    return path


def test_encode_writes_every_frame_and_the_delay(
    tokens: Path, sound: Path, toy_spec: CodecSpec, reference_encode: ReferenceEncode
) -> None:
    needed = -(-(SAMPLES + toy_spec.delay_samples) // toy_spec.frame_size)
    padded = np.zeros(needed * toy_spec.frame_size, dtype=np.float32)
    padded[:SAMPLES] = soundfile.read(sound, dtype="float32")[0]
    with TokenReader(tokens) as reader:
        assert (reader.num_frames, reader.num_samples) == (needed, SAMPLES)
        np.testing.assert_array_equal(np.concatenate(list(reader), axis=1), reference_encode(padded))


@pytest.mark.parametrize("layers", [None, 2])
def test_decode_gives_as_many_samples_as_were_encoded_without_the_delay(
    tokens: Path,
    tmp_path: Path,
    model_folder: Path,
    toy_spec: CodecSpec,
    reference_decode: ReferenceDecode,
    layers: int | None,
) -> None:
    target = tmp_path / "back.wav"
    flags = [] if layers is None else ["--layers", str(layers)]
    assert main(["decode", str(tokens), "-o", str(target), "--model", str(model_folder), *flags]) == 0
    with TokenReader(tokens) as reader:
        codes = np.concatenate(list(reader), axis=1)
    expected = np.clip(reference_decode(codes[:layers])[toy_spec.delay_samples :][:SAMPLES], -1, 1)
    decoded, rate = soundfile.read(target, dtype="float32")
    assert (rate, decoded.size) == (16000, SAMPLES)
    np.testing.assert_allclose(decoded, expected, atol=1e-4)


def test_decode_of_an_unfinished_file_gives_all_its_frames(
    tmp_path: Path, model_folder: Path, toy_spec: CodecSpec
) -> None:
    path = tmp_path / "cut.vwt"
    with TokenWriter(path, toy_spec) as writer:
        writer.write(np.zeros((4, 10), dtype=np.int64))
    assert main(["decode", str(path), "-o", str(tmp_path / "a.wav"), "--model", str(model_folder)]) == 0
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert file.getnframes() == 10 * 8 - 3


def test_reports_are_flat_json(
    sound: Path, tmp_path: Path, model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "x.vwt"
    arguments = ["encode", str(sound), "-o", str(target), "--model", str(model_folder), "--layers", "2", "--json"]
    assert main(arguments) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["codec"] == "toy"
    assert report["num_samples"] == SAMPLES
    assert report["bytes_written"] == target.stat().st_size
    assert main(["compare", str(sound), str(sound), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["delay_ms"] == 0


def test_info_tells_files_apart(tokens: Path, model_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(tokens), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["codec"], report["layers"], report["finished"]) == ("toy", 4, True)
    assert main(["info", str(model_folder / "decoder.onnx"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["half"], report["states"], report["frame_size"]) == ("decoder", 2, 8)
    assert main(["info", str(model_folder)]) == 0
    assert "encoder.onnx:\n" in capsys.readouterr().out


def test_bench_times_both_halves(model_folder: Path, sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["bench", "--model", str(model_folder), "--frames", "30", "--json"]
    assert main(arguments) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["encode_rtf"] > 0
    assert figures["decode_silence_ms_p50"] > 0
    assert main([*arguments, "--audio", str(sound)]) == 0


def _fails(capsys: pytest.CaptureFixture[str], code: int, words: str, *arguments: object) -> None:
    assert main([str(argument) for argument in arguments]) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("codec: ")
    assert words in printed.err
    assert printed.err.count("\n") == 1


def test_bad_input_is_one_sentence_and_its_exit_code(
    tmp_path: Path, sound: Path, tokens: Path, model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, model = tmp_path / "out", ["--model", model_folder]
    missing, text, empty = tmp_path / "none.wav", tmp_path / "text.wav", tmp_path / "empty.wav"
    text.write_text("no sound")
    empty.touch()
    (tmp_path / "folder").mkdir()
    truncated = tmp_path / "cut.onnx"
    truncated.write_bytes((model_folder / "encoder.onnx").read_bytes()[:300])
    _fails(capsys, 66, f"File not found at {missing}", "encode", missing, "-o", out, *model)
    _fails(capsys, 66, "Unsupported file type — expected WAV/MP3/FLAC/OGG/M4A", "encode", text, "-o", out, *model)
    _fails(capsys, 66, "the file is empty", "encode", empty, "-o", out, *model)
    _fails(capsys, 76, "cut short", "encode", sound, "-o", out, "--model", truncated)
    _fails(capsys, 66, "File not found", "encode", sound, "-o", out, "--model", tmp_path / "none.onnx")
    _fails(capsys, 76, "not the encoder", "encode", sound, "-o", out, "--model", model_folder / "decoder.onnx")
    _fails(capsys, 76, "holds the codec toy, not nano", "encode", sound, "-o", out, "--codec", "nano", *model)
    _fails(capsys, 76, "1 to 4 layers", "encode", sound, "-o", out, "--layers", 9, *model)
    _fails(capsys, 1, "Cannot write", "encode", sound, "-o", tmp_path / "nowhere" / "x", *model)
    _fails(capsys, 66, "not a token file", "decode", sound, "-o", out, *model)
    _fails(capsys, 76, "1 to 4 layers", "decode", tokens, "-o", out, "--layers", 9, *model)
    _fails(capsys, 1, "both input and output", "decode", tokens, "-o", tokens, *model)
    _fails(capsys, 78, "File not found", "encode", sound, "-o", out, "--config", tmp_path / "none.toml")
    _fails(capsys, 66, "File not found", "info", missing)
    _fails(capsys, 66, "no .onnx file", "info", tokens.parent / "folder")
    assert not out.exists()
    assert not list(tmp_path.glob("*.part"))


def test_tokens_of_another_codec_or_other_weights_are_refused(
    tmp_path: Path, model_folder: Path, toy_spec: CodecSpec, capsys: pytest.CaptureFixture[str]
) -> None:
    for spec, words in (
        (replace(toy_spec, weights_sha256="cd" * 32), "made by other weights of toy (cdcdcdcdcdcd…)"),
        (replace(toy_spec, name="other", weights_sha256="cd" * 32), "made by the codec other, this decoder is of toy"),
    ):
        path = tmp_path / "foreign.vwt"
        with TokenWriter(path, spec) as writer:
            writer.write(np.zeros((4, 1), dtype=np.int64))
            writer.finish(5)
        _fails(capsys, 76, words, "decode", path, "-o", tmp_path / "out.wav", "--model", model_folder)


def test_an_older_result_survives_a_failure(
    tmp_path: Path, sound: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "result.vwt"
    target.write_text("precious")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(TokenWriter, "finish", interrupt)
    assert main(["encode", str(sound), "-o", str(target), "--model", str(model_folder)]) == 130
    assert target.read_text() == "precious"
    assert not list(tmp_path.glob("*.part"))


def test_a_device_as_output_stays_a_device(sound: Path, tokens: Path, model_folder: Path) -> None:
    assert main(["decode", str(tokens), "-o", os.devnull, "--model", str(model_folder)]) == 0
    assert not Path(os.devnull).is_file()


def test_settings_come_from_file_and_environment(
    tmp_path: Path, sound: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "codec.toml"
    config.write_text(f'[codec]\nmodel = "{model_folder}"\n')
    arguments = ["encode", str(sound), "-o", str(tmp_path / "x.vwt")]
    assert main([*arguments, "--config", str(config)]) == 0
    monkeypatch.setenv("VOXWIRE_CODEC__MODEL", str(model_folder))
    assert main(arguments) == 0
    monkeypatch.setenv("VOXWIRE_CODEC__MODEL", str(tmp_path / "none.onnx"))
    capsys.readouterr()
    _fails(capsys, 66, "File not found", *arguments)


@pytest.mark.parametrize("command", [[], ["encode"], ["decode"], ["compare"], ["info"], ["bench"]])
def test_help_shows_an_example(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])
    assert caught.value.code == 0
    assert f"codec {' '.join(command)}".strip() in capsys.readouterr().out.split("example")[1]


@pytest.mark.parametrize(
    "arguments", [[], ["dance"], ["encode"], ["bench", "--frames", "0"], ["bench", "--threads", "x"]]
)
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


def test_the_module_runs_and_needs_no_torch(repository: Path, tokens: Path) -> None:
    program = (
        "import sys; sys.modules['torch'] = None; sys.argv = ['codec', 'info', sys.argv[1]]\n"
        "import runpy\n"
        "try: runpy.run_module('codec', run_name='__main__')\n"
        "finally: print(sorted({n.split('.')[0] for n in sys.modules} & {'protocol', 'export', 'gateway', 'paho'}))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(tokens)], cwd=repository, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.endswith("[]\n")


def test_importing_the_package_loads_no_library(repository: Path) -> None:
    program = (
        "import sys, codec; codec.CodecSpec, codec.FrameAssembler, codec.WavWriter, codec.CodecError\n"
        "print(sorted({'onnxruntime', 'soundfile', 'av', 'soxr', 'torch', 'scipy'} & set(sys.modules)))\n"
        "assert all(hasattr(codec, name) for name in codec.__all__)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=repository, capture_output=True, text=True, timeout=60)
    assert (run.stdout, run.stderr) == ("[]\n", "")


def test_a_closed_pipe_is_no_error(repository: Path, tokens: Path) -> None:
    command = f"'{sys.executable}' -m codec info '{tokens}' | true; exit ${{PIPESTATUS[0]}}"
    run = subprocess.run(["bash", "-c", command], cwd=repository, capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_drawn_on_a_terminal_only() -> None:
    terminal, file = _Terminal(), io.StringIO()
    for stream in (terminal, file):
        with Progress("encoding", 10.0, stream=stream) as progress:
            progress.update(5.0)
    assert "50% 5/10 s" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")
    assert file.getvalue() == ""
    with Progress("encoding", None, stream=terminal) as progress:
        progress.update(7.0)
    assert "encoding 7 s" in terminal.getvalue()
