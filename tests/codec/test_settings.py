"""Settings of the codec command."""

from __future__ import annotations

from pathlib import Path

import pytest

from codec.settings import CodecSettings, SettingsError, load_settings


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "codec.toml"
    path.write_text(text)
    return path


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    path = _file(tmp_path, '[codec]\nthreads = 2\nprovider = "cuda"\nmodel = "m.onnx"\ncodec = "nano"\n')
    environ = {"VOXWIRE_CODEC__THREADS": "3", "VOXWIRE_CODEC__PROVIDER": "cpu", "VOXWIRE_BROKER__URL": "x", "HOME": "/"}
    settings = load_settings(path, environ, {"threads": 4, "codec": None})
    assert settings == CodecSettings(codec="nano", model=Path("m.onnx"), device="cpu", engine="auto", threads=4)
    assert load_settings(None, {}, {}) == CodecSettings()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[codec]\nthread = 1", "Unknown setting 'thread' in .* did you mean threads"),
        ("[codec]\nzzz = 1", "known are codec, model"),
        ("[broker]\nurl = 1", r"unknown section \[broker\]"),
        ("codec = 1", "a table of settings"),
        ("[codec]\nthreads = true", "whole number, not True"),
        ('[codec]\nthreads = "many"', "whole number"),
        ("[codec]\nthreads = 0", "1 or more"),
        ('[codec]\nprovider = "tpu"', "Unknown device 'tpu' — known are auto, cpu, cuda"),
        ('[codec]\ndevice = "cuda:x"', "Unknown device 'cuda:x'"),
        ('[codec]\nengine = "jax"', "auto, onnx or torch"),
        ("[codec]\ncodec = 3", "codec is a text"),
        ("[codec", "not a readable TOML"),
    ],
)
def test_a_bad_file_is_refused_in_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        load_settings(_file(tmp_path, text), {}, {})
    assert caught.value.exit_code == 78


def test_a_bad_environment_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="the environment variable VOXWIRE_CODEC__MODLE — did you mean model"):
        load_settings(None, {"VOXWIRE_CODEC__MODLE": "x"}, {})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="File not found at"):
        load_settings(tmp_path / "none.toml", {}, {})
