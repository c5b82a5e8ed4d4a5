"""Telling token files apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codec.errors import CodecError, OutputFileError, TokenFileError
from codec.formats.file_sink import FileSink
from codec.formats.kinds import format_by_content, format_by_name, is_token_file
from codec.formats.recordings import open_tokens, recordings_of
from codec.spec import CodecSpec


@pytest.mark.parametrize(
    ("name", "asked", "expected"),
    [
        ("a.vwt", None, "vwt"),
        ("a.PT", None, "pt"),
        ("a.pth", None, "pt"),
        ("a.npz", None, "npz"),
        ("a.lmdb", None, "lmdb"),
        ("a", None, "vwt"),
        ("a.tokens", None, "vwt"),
        ("a.vwt", "npz", "npz"),
    ],
)
def test_what_is_written_is_asked_for_or_by_the_ending(name: str, asked: str | None, expected: str) -> None:
    assert format_by_name(Path(name), asked) == expected


def test_a_format_that_is_none_is_refused() -> None:
    with pytest.raises(CodecError, match="Unknown format 'csv' — known are vwt, pt, npz, lmdb"):
        format_by_name(Path("a"), "csv")


@pytest.mark.parametrize("kind", ["vwt", "pt", "npz"])
@pytest.mark.parametrize("layers", [None, 4])
def test_every_kind_gives_back_what_went_in(
    tmp_path: Path, write_file: Any, spec: CodecSpec, kind: str, layers: int | None
) -> None:
    path = tmp_path / f"a.{kind}"
    codes = write_file(path, kind, layers=layers)
    assert format_by_content(path) == kind
    with open_tokens(path) as tokens:
        assert (tokens.spec, tokens.layers, tokens.num_frames) == (spec, layers or 16, 30)
        assert tokens.num_samples == 30 * 1280 - 485
        parts = list(tokens)
    assert [part.shape[1] for part in parts] == [25, 5]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), codes[:layers])


def test_what_a_file_holds_counts_more_than_its_name(tmp_path: Path, write_file: Any) -> None:
    write_file(tmp_path / "a.npz", "vwt")
    assert format_by_content(tmp_path / "a.npz") == "vwt"
    write_file(tmp_path / "b", "npz")
    with pytest.raises(TokenFileError, match="give it that ending"):
        format_by_content(tmp_path / "b")


@pytest.mark.parametrize("content", [b"", b"no tokens", b"RIFF...."])
def test_files_of_other_kinds_are_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(TokenFileError, match="is not a token file — expected one made by `codec encode`"):
        format_by_content(tmp_path / "a")
    assert not is_token_file(tmp_path / "a")
    assert not is_token_file(tmp_path / "missing")
    with pytest.raises(TokenFileError, match="Cannot read"):
        next(recordings_of(tmp_path))


@pytest.mark.parametrize("kind", ["vwt", "pt", "npz"])
def test_a_file_is_there_when_it_is_finished_and_not_before(tmp_path: Path, spec: CodecSpec, kind: Any) -> None:
    target = tmp_path / "a"
    target.write_text("older")
    sink = FileSink(target, kind, spec)
    sink.write(np.zeros((16, 3), dtype=np.int64))
    assert target.read_text() == "older"
    sink.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert target.read_text() == "older"


@pytest.mark.parametrize("kind", ["vwt", "pt", "npz"])
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, spec: CodecSpec, kind: Any) -> None:
    target = tmp_path / "a"
    (tmp_path / "a.part").symlink_to("/dev/full")  # what is written first goes there
    sink = FileSink(target, kind, spec)
    with pytest.raises(OutputFileError, match="No space left"):  # noqa: PT012
        sink.write(np.zeros((16, 3), dtype=np.int64))
        sink.finish(3 * 1280 - 480)
    sink.discard()
    assert list(tmp_path.iterdir()) == []
