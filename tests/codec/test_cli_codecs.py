"""The command with the released tokenizer's architecture, and with sound from the network."""

from __future__ import annotations

import functools
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from codec.cli import main
from codec.formats.recordings import open_tokens
from codec.models.qwen3.lively import save_lively, small_document

RATE = 24000


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the released one, with small random weights."""
    folder = tmp_path_factory.mktemp("release")
    save_lively(small_document(), folder)
    return folder


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for number, samples in enumerate((1, 1920, 30001, 60000)):
        noise = np.random.default_rng(number).normal(0, 0.1, samples)
        soundfile.write(folder / f"{number}.wav", noise, RATE, subtype="PCM_16")
    return folder


def _report(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    assert main([*map(str, arguments), "--json"]) == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return report


def _codes(path: Path) -> Any:
    with open_tokens(path) as tokens:
        return np.concatenate(list(tokens), axis=1)


def test_released_weights_encode_to_what_the_official_package_reads_and_back(
    tmp_path: Path, release: Path, sounds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tokens = tmp_path / "a.pt"
    report = _report(capsys, "encode", sounds / "2.wav", "-o", tokens, "--model", release)
    assert (report["codec"], report["device"], report["frames"]) == ("qwen3-12hz", "cpu", 16)
    document = torch.load(tokens, weights_only=True)
    assert (document["audio_codes"].shape, document["audio_codes"].dtype) == ((16, 16), torch.int64)
    report = _report(capsys, "decode", tokens, "-o", tmp_path / "a.wav", "--model", release)
    assert report["num_samples"] == 30001
    assert soundfile.info(tmp_path / "a.wav").samplerate == RATE
    # What the official package itself writes has no length: whole frames come back.
    torch.save({"audio_codes": document["audio_codes"]}, tokens)
    report = _report(capsys, "decode", tokens, "-o", tmp_path / "b.wav", "--model", release)
    assert report["num_samples"] == 16 * 1920


@pytest.mark.parametrize("layers", [1, 8])
def test_fewer_layers_are_decoded(
    tmp_path: Path, release: Path, sounds: Path, capsys: pytest.CaptureFixture[str], layers: int
) -> None:
    _report(capsys, "encode", sounds / "1.wav", "-o", tmp_path / "a.npz", "--model", release, "--layers", layers)
    report = _report(capsys, "decode", tmp_path / "a.npz", "-o", tmp_path / "a.wav", "--model", release)
    assert report["num_samples"] == 1920
    assert _report(capsys, "info", tmp_path / "a.npz")["codes"] == f"{layers} x 1"


def test_a_folder_side_by_side_has_the_codes_of_each_alone(
    tmp_path: Path, release: Path, sounds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for batch in (1, 4):
        out = tmp_path / f"out{batch}"
        report = _report(capsys, "encode", sounds, "-o", out, "--model", release, "--batch", batch)
        assert (report["done"], report["frames"]) == (4, 1 + 1 + 16 + 32)
    for name in ("0.vwt", "1.vwt", "2.vwt", "3.vwt"):
        one, other = (_codes(tmp_path / f"out{batch}" / name) for batch in (1, 4))
        differing = (one != other).any(axis=0).sum()
        assert differing <= 0.02 * one.shape[1]  # nearest entries that are equally near, of random weights
    assert _report(capsys, "decode", tmp_path / "out4", "-o", tmp_path / "back", "--model", release)["done"] == 4
    assert [soundfile.info(tmp_path / f"back/{number}.wav").frames for number in range(4)] == [1, 1920, 30001, 60000]


def test_released_weights_are_described(release: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = _report(capsys, "info", release)
    assert (report["codec"], report["num_layers"], report["sample_rate"]) == ("qwen3-12hz", 16, RATE)


@pytest.mark.parametrize("command", ["encode", "decode"])
def test_a_gpu_that_is_not_there_is_an_error(
    tmp_path: Path, release: Path, sounds: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    tokens = tmp_path / "a.vwt"
    assert main(["encode", str(sounds / "1.wav"), "-o", str(tokens), "--model", str(release)]) == 0
    source = sounds / "1.wav" if command == "encode" else tokens
    arguments = [command, str(source), "-o", str(tmp_path / "out"), "--model", str(release), "--device", "cuda"]
    assert main(arguments) == 78
    assert "cuda was asked for" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.fixture
def address(sounds: Path) -> Iterator[str]:
    """Where a web server of our own hands out the sounds."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Handler, directory=str(sounds))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_sound_is_fetched_from_an_address(
    tmp_path: Path, sounds: Path, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _report(capsys, "encode", f"{address}/3.wav", "-o", tmp_path / "web.vwt")
    _report(capsys, "encode", sounds / "3.wav", "-o", tmp_path / "file.vwt")
    assert (tmp_path / "web.vwt").read_bytes() == (tmp_path / "file.vwt").read_bytes()
    report = _report(capsys, "encode", f"{address}/2.wav", f"{address}/3.wav", "-o", tmp_path / "out")
    assert report["done"] == 2
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["2.vwt", "3.vwt"]


def test_an_address_that_fails_is_said(tmp_path: Path, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["encode", f"{address}/none.wav", "-o", str(tmp_path / "a.vwt")]) == 66
    assert "404" in capsys.readouterr().err
    arguments = ["encode", f"{address}/none.wav", f"{address}/3.wav", "-o", str(tmp_path / "out"), "--json"]
    assert main(arguments) == 1
    assert json.loads(capsys.readouterr().out)["failed"] == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["3.vwt"]
    assert not (tmp_path / "a.vwt").exists()
