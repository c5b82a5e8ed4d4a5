"""The command on folders, caches and files of others: what is done, skipped, reported, and left behind."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from codec.cli import main
from codec.files.encode_job import EncodeJob
from codec.formats.lmdb_cache import CacheReader
from codec.formats.recordings import open_tokens
from codec.formats.vwt import TokenWriter
from codec.spec import CodecSpec

LENGTHS = {"a.wav": 1000, "b.flac": 3000, "deep/er/c.wav": 9, "deep/d.wav": 4001}

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Four sounds at the toy codec's rate, and a file that is none."""
    folder = tmp_path / "in"
    for number, (name, samples) in enumerate(LENGTHS.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        eighths = np.random.default_rng(number).integers(-8, 9, samples) / 8
        soundfile.write(path, eighths, 16000, subtype="PCM_16")
    (folder / "deep" / "bad.wav").write_text("no sound")
    return folder


@pytest.fixture
def run(model_folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """run("encode", …, code=0) -> the JSON report; "err" of it is what was printed for people."""

    def call(command: str, *arguments: object, code: int = 0, model: Path | None = model_folder) -> dict[str, Any]:
        flags = ["--json"] if model is None else ["--json", "--model", str(model)]
        assert main([command, *map(str, arguments), *flags]) == code
        printed = capsys.readouterr()
        report: dict[str, Any] = json.loads(printed.out) if printed.out else {}
        return report | {"err": printed.err}

    return call


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _codes(path: Path) -> Any:
    with open_tokens(path) as tokens:
        return np.concatenate(list(tokens), axis=1)


def test_a_folder_keeps_its_structure_and_a_bad_file_is_said_and_left_out(
    tmp_path: Path, recordings: Path, run: Run
) -> None:
    report = run("encode", recordings, "-o", tmp_path / "out", code=1)
    assert _files(tmp_path / "out") == ["a.vwt", "b.vwt", "deep/d.vwt", "deep/er/c.vwt"]
    assert {key: report[key] for key in ("files", "done", "skipped", "failed")} == {
        **{"files": 5, "done": 4, "skipped": 0, "failed": 1},
    }
    assert report["err"].count("\n") == 1
    assert "codec: Unsupported file type" in report["err"]
    assert report["failures"][0]["file"] == str(recordings / "deep/bad.wav")
    assert report["seconds"] == pytest.approx(sum(LENGTHS.values()) / 16000, abs=0.01)
    run("encode", recordings / "b.flac", "-o", tmp_path / "alone.vwt")
    np.testing.assert_array_equal(_codes(tmp_path / "out/b.vwt"), _codes(tmp_path / "alone.vwt"))


@pytest.mark.parametrize("kind", ["vwt", "pt", "npz", "lmdb"])
def test_side_by_side_gives_what_one_after_another_gives(tmp_path: Path, recordings: Path, run: Run, kind: str) -> None:
    for batch in (1, 3):
        run("encode", recordings, "-o", tmp_path / f"out{batch}", "--format", kind, "--batch", batch, code=1)
        run("decode", tmp_path / f"out{batch}", "-o", tmp_path / f"back{batch}", "--batch", batch)
    assert _files(tmp_path / "back1") == ["a.wav", "b.wav", "deep/d.wav", "deep/er/c.wav"]
    for name in _files(tmp_path / "back1"):
        assert (tmp_path / "back1" / name).read_bytes() == (tmp_path / "back3" / name).read_bytes()
    for name, samples in LENGTHS.items():
        assert soundfile.info((tmp_path / "back1" / name).with_suffix(".wav")).frames == samples


@pytest.mark.parametrize("kind", ["vwt", "pt", "npz", "lmdb"])
def test_what_is_done_is_skipped_until_it_is_not_what_is_wanted(
    tmp_path: Path, recordings: Path, run: Run, kind: str
) -> None:
    (recordings / "deep/bad.wav").unlink()
    command = ("encode", recordings, "-o", tmp_path / "out", "--format", kind)
    assert run(*command)["done"] == 4
    assert run(*command)["skipped"] == 4
    soundfile.write(recordings / "a.wav", np.zeros(500), 16000)
    later = (tmp_path / "out").stat().st_mtime_ns + 10**9
    os.utime(recordings / "a.wav", ns=(later, later))
    (recordings / "e.wav").write_bytes((recordings / "a.wav").read_bytes())
    report = run(*command)
    assert (report["done"], report["skipped"]) == (2, 3)
    assert run(*command, "--force")["done"] == 5


def test_tokens_of_other_weights_or_layers_are_made_again(
    tmp_path: Path, recordings: Path, run: Run, toy_spec: CodecSpec
) -> None:
    out = tmp_path / "out"
    run("encode", recordings, "-o", out, code=1)
    with TokenWriter(out / "a.vwt", replace(toy_spec, weights_sha256="cd" * 32)) as writer:
        writer.write(np.zeros((4, 126), dtype=np.int64))
        writer.finish(1000)
    (out / "b.vwt").write_bytes((out / "b.vwt").read_bytes()[:-1])
    report = run("encode", recordings, "-o", out, code=1)
    assert (report["done"], report["skipped"]) == (2, 2)
    assert run("encode", recordings, "-o", out, "--layers", 2, code=1)["done"] == 4
    assert run("encode", recordings, "-o", out, "--layers", 2, code=1)["skipped"] == 4


def test_decoding_skips_what_is_there_and_whole(tmp_path: Path, recordings: Path, run: Run) -> None:
    out, back = tmp_path / "out", tmp_path / "back"
    run("encode", recordings, "-o", out, code=1)
    assert run("decode", out, "-o", back)["done"] == 4
    assert run("decode", out, "-o", back)["skipped"] == 4
    (back / "a.wav").write_bytes((back / "a.wav").read_bytes()[:60])
    soundfile.write(back / "b.wav", np.zeros(7), 16000)
    report = run("decode", out, "-o", back)
    assert (report["done"], report["skipped"]) == (2, 2)
    assert run("decode", out, "-o", back, "--force")["done"] == 4


def test_a_cache_is_one_file_that_others_join(tmp_path: Path, recordings: Path, run: Run) -> None:
    cache = tmp_path / "all.lmdb"
    report = run("encode", recordings, "-o", cache, code=1)
    assert (report["format"], report["done"]) == ("lmdb", 4)
    run("encode", recordings / "a.wav", "-o", cache)
    with CacheReader(cache) as reader:
        assert list(reader.names()) == ["a.wav", "b.flac", "deep/d.wav", "deep/er/c.wav"]
        assert reader.entry("deep/d.wav").num_samples == 4001
    report = run("info", cache, model=None)
    assert {key: report[key] for key in ("format", "codec", "recordings", "unreadable", "layers")} == {
        **{"format": "lmdb", "codec": "toy", "recordings": 4, "unreadable": 0, "layers": 4},
    }
    report = run("encode", recordings, "-o", cache, "--layers", 2, code=76)
    assert "keeps 4 layers a frame, not 2" in report["err"]


def test_many_files_may_be_named_and_one_may_go_into_a_folder(tmp_path: Path, recordings: Path, run: Run) -> None:
    out = tmp_path / "out"
    run("encode", recordings / "a.wav", recordings / "deep/d.wav", "-o", out)
    assert _files(out) == ["a.vwt", "deep/d.vwt"]
    run("encode", recordings / "b.flac", "-o", out, "--format", "npz")
    run("encode", f"{recordings}/**/c.*", "-o", out)
    assert _files(out) == ["a.vwt", "b.npz", "deep/d.vwt", "deep/er/c.vwt"]
    run("decode", out / "a.vwt", "-o", tmp_path)
    assert (tmp_path / "a.wav").is_file()


def test_the_folder_of_the_tokens_is_no_place_for_the_sound(tmp_path: Path, recordings: Path, run: Run) -> None:
    run("encode", recordings, "-o", recordings, code=1)
    before = (recordings / "a.wav").read_bytes()
    assert "name another" in run("decode", recordings, "-o", recordings, code=1)["err"]
    assert (recordings / "a.wav").read_bytes() == before


def test_codes_of_the_official_package_are_decoded_where_the_codec_is_named(
    tmp_path: Path, run: Run, reference_decode: Any
) -> None:
    codes = torch.randint(0, 16, (2, 30, 4))
    codes[1, 11:] = -1
    torch.save({"audio_codes": codes[0]}, tmp_path / "one.pt")
    torch.save({"audio_codes": codes}, tmp_path / "two.pt")
    assert run("decode", tmp_path / "one.pt", "-o", tmp_path / "one.wav")["num_samples"] == 30 * 8 - 3
    expected = np.clip(reference_decode(codes[0].numpy().T)[3:], -1, 1)
    np.testing.assert_allclose(soundfile.read(tmp_path / "one.wav")[0], expected, atol=1e-4)
    assert run("decode", tmp_path / "two.pt", "-o", tmp_path / "two")["done"] == 2
    assert [soundfile.info(tmp_path / "two" / f"000{row}.wav").frames for row in range(2)] == [237, 85]
    report = run("decode", tmp_path / "one.pt", "-o", tmp_path / "x.wav", code=1, model=None)
    assert "does not say which codec made it — name the codec with --codec, or --model" in report["err"]
    report = run("info", tmp_path / "one.pt", model=None)
    assert (report["codec"], report["codes"]) == (None, "4 x 30")
    assert run("info", tmp_path / "two.pt", model=None)["recordings"] == 2


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        (torch.full((3, 4), 16), "lie between 0 and 15, not 16"),
        (torch.tensor([[0, -1, 3, 3]]), "may only be followed by missing layers"),
        (torch.tensor([[1, 1, 1, 1], [-1, -1, -1, -1], [1, 1, 1, 1]]), "without layer 0 is a lost frame"),
        (torch.zeros(3, 5, dtype=torch.int64), "holds 5 layers, toy has 4"),
        (torch.zeros(3, 4), "integers, not float32"),
        (torch.zeros(4, dtype=torch.int64), r"not [4]"),
        (torch.zeros(0, 4, dtype=torch.int64), "holds no frames"),
    ],
)
def test_codes_no_encoder_can_have_made_are_refused(tmp_path: Path, run: Run, codes: Any, words: str) -> None:
    torch.save({"audio_codes": codes}, tmp_path / "a.pt")
    report = run("decode", tmp_path / "a.pt", "-o", tmp_path / "a.wav", code=76)
    assert words in report["err"]
    assert _files(tmp_path) == ["a.pt"]


def test_a_missing_suffix_of_layers_is_decoded_as_fewer(tmp_path: Path, run: Run, reference_decode: Any) -> None:
    codes = torch.randint(0, 16, (30, 4))
    codes[10:, 2:] = -1
    torch.save({"audio_codes": codes}, tmp_path / "a.pt")
    run("decode", tmp_path / "a.pt", "-o", tmp_path / "a.wav")
    expected = np.clip(reference_decode(codes.numpy().T)[3:], -1, 1)
    np.testing.assert_allclose(soundfile.read(tmp_path / "a.wav")[0], expected, atol=1e-4)


@pytest.mark.parametrize("kind", ["vwt", "pt", "npz", "lmdb"])
@pytest.mark.parametrize("batch", [1, 3])
def test_an_interrupt_leaves_whole_files_only_and_the_next_run_goes_on(
    tmp_path: Path, recordings: Path, run: Run, monkeypatch: pytest.MonkeyPatch, kind: str, batch: int
) -> None:
    command = ("encode", recordings, "-o", tmp_path / "out", "--format", kind, "--batch", batch)
    calls = 0
    put = EncodeJob.put

    def interrupt(job: EncodeJob, result: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 30:
            raise KeyboardInterrupt
        put(job, result)

    with monkeypatch.context() as patched:
        patched.setattr(EncodeJob, "put", interrupt)
        run(*command, code=130)
    assert not [name for name in _files(tmp_path) if name.endswith(".part")]
    report = run(*command, code=1)
    assert report["done"] + report["skipped"] == 4
    assert report["skipped"] >= 1


def test_a_full_disk_ends_the_run_at_once(
    tmp_path: Path, recordings: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/b.vwt.part").symlink_to("/dev/full")
    report = run("encode", recordings, "-o", tmp_path / "out", code=1)
    assert "Cannot write" in report["err"]
    assert "No space left" in report["err"]
    assert _files(tmp_path / "out") == ["a.vwt"]


def test_a_name_that_no_file_can_have_is_the_fault_of_that_file(tmp_path: Path, recordings: Path, run: Run) -> None:
    (recordings / "deep/bad.wav").unlink()
    (recordings / ("x" * 249 + ".wav")).write_bytes((recordings / "a.wav").read_bytes())
    report = run("encode", recordings, "-o", tmp_path / "out", code=1)
    assert (report["done"], report["failed"]) == (4, 1)
    assert "too long" in report["err"]


def test_a_long_recording_is_processed_in_chunks(
    tmp_path: Path, recordings: Path, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="codec")
    report = run("encode", recordings / "deep/d.wav", "-o", tmp_path / "d.vwt")
    assert (report["frames"], report["chunks"]) == (501, 21)
    assert "d.wav: processed in 21 chunks" in caplog.text
    run("decode", tmp_path / "d.vwt", "-o", tmp_path / "d.wav")
    assert "d.vwt: processed in 21 chunks" in caplog.text


@pytest.mark.parametrize("kind", ["vwt", "pt", "npz"])
def test_info_tells_layers_frames_and_duration(tmp_path: Path, recordings: Path, run: Run, kind: str) -> None:
    path = tmp_path / f"b.{kind}"
    run("encode", recordings / "b.flac", "-o", path, "--layers", 2)
    report = run("info", path, model=None)
    assert {key: report[key] for key in ("format", "codec", "codes", "seconds", "finished", "kbps")} == {
        **{"format": kind, "codec": "toy", "codes": "2 x 376", "seconds": 0.188, "finished": True, "kbps": 16.0},
    }


def test_sound_beyond_full_scale_is_said(tmp_path: Path, run: Run, caplog: pytest.LogCaptureFixture) -> None:
    soundfile.write(tmp_path / "loud.wav", np.array([0.5, 1.5, -2.0] * 10), 16000, subtype="FLOAT")
    run("encode", tmp_path / "loud.wav", "-o", tmp_path / "loud.vwt")
    assert "20 samples lie beyond full scale (the loudest at 2.00)" in caplog.text
