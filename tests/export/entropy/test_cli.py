"""`codec-export tables`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from codec.formats.npz import NpzWriter
from codec.formats.vwt import TokenWriter
from codec.spec import CodecSpec
from export import cli
from export.entropy.corpora import read_corpora
from export.errors import ExportError
from protocol.entropy import TABLES_NAME, decode_tables, find_tables
from tests.export.entropy.test_learning import SIZE, made_up_codes

SPEC = CodecSpec("toy", 16000, 1280, 4, SIZE, 320, "ab" * 32)


def write_tokens(path: Path, seed: int, *, spec: CodecSpec = SPEC, layers: int = 4, frames: int = 6000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = TokenWriter if path.suffix == ".vwt" else NpzWriter
    with writer(path, spec, layers=layers) as tokens:
        for first in range(0, frames, 25):
            tokens.write(made_up_codes(seed, frames)[:layers, first : first + 25])
        tokens.finish((frames - 1) * spec.frame_size)
    return path


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three folders of token files, of two kinds."""
    folder = tmp_path_factory.mktemp("tokens")
    for number in range(3):
        for part in range(2):
            write_tokens(folder / f"corpus-{number}" / f"{part}.{('vwt', 'npz')[part]}", 10 * number + part)
    return sorted(folder.iterdir())


def test_tables_are_written_where_both_ends_look_for_them(
    corpora: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "exported"
    assert cli.main(["tables", *map(str, corpora), "-o", str(out), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    data = (out / TABLES_NAME).read_bytes()
    assert report["bytes"] == len(data)
    assert report["fingerprint"] == decode_tables(data).fingerprint
    assert report["plain_bits_per_frame"] == 24
    assert report["held_out_bits_per_frame"] < 23
    assert [layer["parent"] for layer in report["layers"]][:3] == [
        "layer 0 of the frame before",
        "layer 0 of the same frame",
        "no table",
    ]
    found = find_tables([out], weights_sha256=SPEC.weights_sha256, num_layers=4, codebook_size=SIZE)
    assert found is not None


def test_what_was_chosen_is_said_in_words(
    corpora: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["tables", *map(str, corpora), "-o", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "layer 0: 5." in printed
    assert "of 24 bits a frame on speech that was not learned from" in printed


def test_a_single_corpus_is_cut_into_three(corpora: list[Path]) -> None:
    spec, parts = read_corpora([corpora[0].parent])
    assert spec == SPEC
    assert [part.frames for part in parts] == [12_000, 12_000, 12_000]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: folder / "none", "File not found"),
        (lambda folder: folder, "has no token files"),
        (lambda folder: write_tokens(folder / "one.vwt", 0, frames=50), "has no frames"),
        (lambda folder: write_tokens(folder / "few.vwt", 0, layers=2, frames=50), "has 2 layers, expected all 4"),
    ],
)
def test_tokens_that_cannot_be_learned_from_are_said(
    make: object, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(make)
    folder = tmp_path / "tokens"
    folder.mkdir()
    assert cli.main(["tables", str(make(folder)), "-o", str(tmp_path / "out")]) == 1
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1


def test_tokens_of_two_codecs_are_refused(tmp_path: Path) -> None:
    other = CodecSpec("other", 16000, 1280, 4, SIZE, 320, "cd" * 32)
    write_tokens(tmp_path / "a.vwt", 0, frames=50)
    write_tokens(tmp_path / "b.vwt", 0, spec=other, frames=50)
    with pytest.raises(ExportError, match="different codecs or weights"):
        read_corpora([tmp_path])


def test_tokens_of_no_codec_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bare.npz"
    np.savez(path, audio_codes=np.zeros((50, 4), np.int64))
    with pytest.raises(ExportError, match="does not say of which codec"):
        read_corpora([path])
