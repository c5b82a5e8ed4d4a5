"""Token files."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from codec.errors import CodesError, OutputFileError, TokenFileError
from codec.formats.vwt import TokenReader, TokenWriter, frame_bytes, pack_frames, unpack_frames
from codec.spec import CodecSpec

SPEC = CodecSpec("nano", 16000, 1280, 16, 2048, 480, "0" * 64)


def _codes(frames: int, spec: CodecSpec = SPEC) -> NDArray[np.int64]:
    return np.random.default_rng(frames).integers(0, spec.codebook_size, (spec.num_layers, frames))


def _write(path: Path, frames: int = 30, *, layers: int | None = None) -> NDArray[np.int64]:
    codes = _codes(frames)
    with TokenWriter(path, SPEC, layers=layers) as writer:
        writer.write(codes[:, :7])
        writer.write(codes[:, 7:])
        writer.finish(num_samples=frames * 1280 - 480 - 5)
    return codes


@given(layers=st.integers(1, 16), bits=st.integers(1, 16), frames=st.integers(1, 30), seed=st.integers(0, 99))
def test_packing_and_unpacking_agree(layers: int, bits: int, frames: int, seed: int) -> None:
    codes = np.random.default_rng(seed).integers(0, 2**bits, (layers, frames))
    data = pack_frames(codes, bits)
    assert len(data) == frames * frame_bytes(layers, bits)
    np.testing.assert_array_equal(unpack_frames(data, layers=layers, bits=bits), codes)


def test_bits_go_layer_by_layer_most_significant_first() -> None:
    codes = np.array([[0b10000000001], [0b00000000011]])
    assert pack_frames(codes, 11) == bytes([0b10000000, 0b00100000, 0b00001100])


def test_a_file_holds_what_was_written(tmp_path: Path) -> None:
    codes = _write(tmp_path / "a.vwt")
    with TokenReader(tmp_path / "a.vwt") as reader:
        assert reader.spec == SPEC
        assert (reader.num_frames, reader.layers, reader.num_samples) == (30, 16, 30 * 1280 - 485)
        assert reader.duration_s == pytest.approx(2.4, abs=0.04)
        parts = list(reader)
    assert [part.shape[1] for part in parts] == [25, 5]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), codes)


def test_a_full_frame_takes_22_bytes(tmp_path: Path) -> None:
    _write(tmp_path / "a.vwt")
    header = 16 + len(json.dumps(SPEC.to_dict(), separators=(",", ":")))
    assert (tmp_path / "a.vwt").stat().st_size == header + 30 * 22


def test_fewer_layers_take_less(tmp_path: Path) -> None:
    codes = _write(tmp_path / "a.vwt", layers=4)
    with TokenReader(tmp_path / "a.vwt") as reader:
        assert reader.bytes_per_frame == 6
        np.testing.assert_array_equal(np.concatenate(list(reader), axis=1), codes[:4])


def test_a_file_left_unfinished_keeps_its_whole_frames(tmp_path: Path) -> None:
    codes = _codes(9)
    with pytest.raises(KeyboardInterrupt), TokenWriter(tmp_path / "a.vwt", SPEC) as writer:  # noqa: PT012
        writer.write(codes)
        raise KeyboardInterrupt
    with (tmp_path / "a.vwt").open("ab") as file:
        file.write(b"half")
    with TokenReader(tmp_path / "a.vwt") as reader:
        assert reader.num_samples is None
        assert reader.duration_s == pytest.approx(9 * 0.08)
        np.testing.assert_array_equal(np.concatenate(list(reader), axis=1), codes)


@pytest.mark.parametrize(
    "codes",
    [np.zeros((3, 1), dtype=np.int64), np.zeros(4, dtype=np.int64), np.full((16, 1), 2048), np.full((16, 1), -1)],
)
def test_codes_that_do_not_fit_are_refused(tmp_path: Path, codes: NDArray[Any]) -> None:
    with TokenWriter(tmp_path / "a.vwt", SPEC) as writer, pytest.raises(CodesError):
        writer.write(codes)


def test_missing_layers_are_refused(tmp_path: Path) -> None:
    codes = _codes(1)
    codes[15] = -1
    with TokenWriter(tmp_path / "a.vwt", SPEC) as writer, pytest.raises(CodesError, match="no place for missing"):
        writer.write(codes)


@pytest.mark.parametrize("layers", [0, 17])
def test_impossible_layers_are_refused(tmp_path: Path, layers: int) -> None:
    with pytest.raises(CodesError, match="1 to 16"):
        TokenWriter(tmp_path / "a.vwt", SPEC, layers=layers)


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    _write(tmp_path / "a.vwt", 8)
    data = (tmp_path / "a.vwt").read_bytes()
    cut = tmp_path / "cut.vwt"
    for length in range(len(data)):
        cut.write_bytes(data[:length])
        with pytest.raises(TokenFileError), TokenReader(cut) as reader:
            list(reader)


def test_every_damaged_byte_is_refused_or_still_a_valid_file(tmp_path: Path) -> None:
    _write(tmp_path / "a.vwt", 8)
    data = (tmp_path / "a.vwt").read_bytes()
    bad = tmp_path / "bad.vwt"
    for place in range(len(data)):
        bad.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        try:
            with TokenReader(bad) as reader:
                for codes in reader:
                    assert codes.max() < reader.spec.codebook_size
        except TokenFileError as error:
            assert error.exit_code == 66  # noqa: PT017


def test_a_code_outside_the_codebook_is_noticed(tmp_path: Path) -> None:
    spec = CodecSpec("odd", 16000, 1280, 2, 3, 0, "0" * 64)
    with TokenWriter(tmp_path / "a.vwt", spec) as writer:
        writer.write(np.zeros((2, 1), dtype=np.int64))
        writer.finish(1280)
    data = (tmp_path / "a.vwt").read_bytes()
    (tmp_path / "a.vwt").write_bytes(data[:-1] + b"\xf0")
    with TokenReader(tmp_path / "a.vwt") as reader, pytest.raises(TokenFileError, match="outside the codebook"):
        list(reader)


@pytest.mark.parametrize("description", [b"[" * 60000, b"[1]", b"{}", b"\xff\xfe", b""])
def test_a_foreign_description_is_refused(tmp_path: Path, description: bytes) -> None:
    (tmp_path / "a.vwt").write_bytes(struct.pack("<4sBBHQ", b"VWT\x1a", 1, 16, len(description), 0) + description)
    with pytest.raises(TokenFileError, match="damaged"):
        TokenReader(tmp_path / "a.vwt")


def test_files_that_are_not_ours_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TokenFileError, match=r"File not found at .*none.vwt"):
        TokenReader(tmp_path / "none.vwt")
    with pytest.raises(TokenFileError, match="Cannot read"):
        TokenReader(tmp_path)
    (tmp_path / "text.vwt").write_text("hello, this is no token file at all")
    with pytest.raises(TokenFileError, match="not a token file"):
        TokenReader(tmp_path / "text.vwt")
    (tmp_path / "later.vwt").write_bytes(struct.pack("<4sBBHQ", b"VWT\x1a", 2, 16, 0, 0))
    with pytest.raises(TokenFileError, match="version 2, this program reads 1"):
        TokenReader(tmp_path / "later.vwt")


def test_where_it_cannot_be_written_the_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputFileError, match="Cannot write"):
        TokenWriter(tmp_path / "nowhere" / "a.vwt", SPEC)
