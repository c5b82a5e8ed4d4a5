"""Token files of numpy."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codec.errors import CodesError, OutputFileError, TokenFileError
from codec.formats.npz import NpzWriter, open_npz
from codec.spec import CodecSpec


def test_numpy_reads_it_without_pickle(tmp_path: Path, write_file: Any) -> None:
    codes = write_file(tmp_path / "a.npz", "npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        assert file["audio_codes"].dtype == np.int16
        np.testing.assert_array_equal(file["audio_codes"], codes.T)
        assert file["num_samples"] == 30 * 1280 - 485


def test_large_codebooks_take_wider_integers(tmp_path: Path) -> None:
    spec = CodecSpec("wide", 16000, 1280, 2, 65536, 0, "1" * 64)
    with NpzWriter(tmp_path / "a.npz", spec) as writer:
        writer.write(np.full((2, 1), 65535))
        writer.finish(1280)
    assert next(iter(open_npz(tmp_path / "a.npz"))).max() == 65535


def test_an_array_of_anybody_is_read(tmp_path: Path) -> None:
    codes = np.random.default_rng(0).integers(0, 2048, (9, 16), dtype=np.uint16)
    np.savez(tmp_path / "a.npz", audio_codes=codes)
    source = open_npz(tmp_path / "a.npz")
    assert (source.spec, source.num_samples, source.num_frames) == (None, None, 9)
    np.testing.assert_array_equal(next(iter(source)), codes.T)


@pytest.mark.parametrize(
    ("arrays", "error", "words"),
    [
        ({"audio_codes": np.zeros((4, 16))}, CodesError, "integers, not float64"),
        ({"audio_codes": np.zeros((4, 16, 2), dtype=np.int64)}, CodesError, r"not \[4, 16, 2\]"),
        ({"audio_codes": np.zeros((0, 16), dtype=np.int64)}, CodesError, "no frames"),
        ({"audio_codes": np.array([{}, {}])}, TokenFileError, "damaged or no"),
        ({"other": np.zeros(2)}, TokenFileError, "no array 'audio_codes'"),
        ({"audio_codes": np.zeros((4, 16), dtype=np.int16), "codec": np.array("[]")}, TokenFileError, "unreadable"),
        ({"audio_codes": np.zeros((4, 16), dtype=np.int16), "codec": np.array("{")}, TokenFileError, "damaged"),
        ({"audio_codes": np.zeros((4, 16), dtype=np.int16), "num_samples": np.zeros(2)}, TokenFileError, "damaged"),
        ({"audio_codes": np.zeros((4, 16), dtype=np.int16), "num_samples": np.array(0.5)}, TokenFileError, "no number"),
    ],
)
def test_arrays_that_are_no_codes_are_refused(
    tmp_path: Path, arrays: dict[str, Any], error: type[Exception], words: str
) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(error, match=words):
        open_npz(tmp_path / "a.npz")


def test_every_truncation_and_many_flips_are_noticed_or_harmless(tmp_path: Path, write_file: Any) -> None:
    write_file(tmp_path / "a.npz", "npz", frames=8)
    data = (tmp_path / "a.npz").read_bytes()
    bad = tmp_path / "bad.npz"
    for length in range(0, len(data), 41):
        bad.write_bytes(data[:length])
        with pytest.raises(TokenFileError):
            open_npz(bad)
    for place in range(0, len(data), 7):
        bad.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        try:
            source = open_npz(bad)
        except (TokenFileError, CodesError):
            continue
        assert source.num_frames <= 30


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<i2", "fortran_order": False, "shape": (2**40, 16)})
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("audio_codes.npy", header.getvalue() + bytes(1000))
    with pytest.raises(TokenFileError, match="damaged"):
        open_npz(tmp_path / "a.npz")
    with zipfile.ZipFile(tmp_path / "a.npz", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.filelist[0].file_size = 2**40
        archive.writestr("more", b"")
    with pytest.raises(TokenFileError, match="would unpack to 1099"):
        open_npz(tmp_path / "a.npz")


def test_an_array_that_claims_to_be_larger_than_the_file_costs_no_memory(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<i2", "fortran_order": False, "shape": (10**8, 16)})
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("audio_codes.npy", header.getvalue() + bytes(1000))
    tracemalloc.start()
    try:
        with pytest.raises(TokenFileError, match="too short for"):
            open_npz(tmp_path / "a.npz")
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY\x03\x00\x00\x00"])
def test_a_part_that_is_no_array_is_refused(tmp_path: Path, content: bytes) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("audio_codes.npy", content)
    with pytest.raises(TokenFileError, match="damaged or no"):
        open_npz(tmp_path / "a.npz")


def test_no_room_for_the_file_is_said(tmp_path: Path, spec: CodecSpec) -> None:
    with NpzWriter(tmp_path / "nowhere" / "a.npz", spec) as writer:
        writer.write(np.zeros((16, 1), dtype=np.int64))
        with pytest.raises(OutputFileError, match="Cannot write"):
            writer.finish(800)
