"""Files that somebody else may have written: tokens of every kind, and what an ONNX file says of itself."""

from __future__ import annotations

import importlib.util
import json
import struct
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final

import numpy as np

from codec.errors import CodesError, ModelError, TokenFileError
from codec.external_data import data_file_of
from codec.formats.base import FRAMES_PER_READ, MAX_SAMPLES, TokenSource
from codec.formats.lmdb_cache import EntryView, make_entry, make_header, read_header
from codec.formats.npz import NpzWriter, open_npz
from codec.formats.recordings import recordings_of
from codec.formats.vwt import MAGIC, VERSION, TokenReader, TokenWriter
from codec.spec import CodecSpec
from tests.fuzz.archive_cases import ArchiveCases
from tests.fuzz.byte_cases import ByteCases, DescribedCases, protobuf_field
from tests.fuzz.json_cases import JsonCases
from tests.fuzz.target import Target

SPEC: Final = CodecSpec("toy", 16000, 1280, 4, 1000, 320, "ab" * 32)
REFUSALS: Final = (TokenFileError, CodesError)
_FRAMES: Final = 30
_SAMPLES: Final = (_FRAMES - 1) * 1280
_CODES: Final = (np.arange(4 * _FRAMES).reshape(4, _FRAMES) * 7 % 1000).astype(np.uint16)


def file_targets(folder: Path) -> list[Target]:
    """Every reader of `codec.formats`, and of the ONNX metadata; cases are written into `folder`."""
    targets = [_vwt(folder), _npz(folder), *_lmdb_values(), _onnx_metadata(folder)]
    if importlib.util.find_spec("torch") is not None:
        targets.append(_pt(folder))
    return targets


def _descriptions() -> Callable[[Random], bytes]:
    texts = JsonCases([json.dumps(SPEC.to_dict()).encode()])
    return lambda random: texts.text(random).encode("utf-8", "surrogatepass")


def _vwt(folder: Path) -> Target:
    path, samples = folder / "case.vwt", []
    for layers in (4, 2):
        with TokenWriter(path, SPEC, layers=layers) as writer:
            writer.write(_CODES)
            writer.finish(_SAMPLES)
        samples.append(path.read_bytes())

    def head(length: int) -> bytes:
        return struct.pack("<4sBBHQ", MAGIC, VERSION, 4, length, _SAMPLES)

    def parse(case: bytes) -> None:
        path.write_bytes(case)
        with TokenReader(path) as reader:
            _check_source(reader)

    make = DescribedCases(samples, _descriptions(), head, bytes(5 * _FRAMES))
    return Target("token file .vwt", 35, 500, make, parse, (TokenFileError,), peak_kb=4096)


def _npz(folder: Path) -> Target:
    path = folder / "case.npz"
    with NpzWriter(path, SPEC) as writer:
        writer.write(_CODES)
        writer.finish(_SAMPLES)
    samples = [path.read_bytes()]
    np.savez(path, audio_codes=_CODES.T.astype(np.int64))
    samples.append(path.read_bytes())

    def parse(case: bytes) -> None:
        path.write_bytes(case)
        with open_npz(path) as source:
            _check_source(source)

    return Target("token file .npz", 10, 150, ArchiveCases(samples), parse, REFUSALS, peak_kb=4096, measured_every=4)


def _pt(folder: Path) -> Target:
    from codec.formats.pt import PtWriter

    path = folder / "case.pt"
    with PtWriter(path, SPEC) as writer:
        writer.write(_CODES)
        writer.finish(_SAMPLES)
    samples = [path.read_bytes()]

    def parse(case: bytes) -> None:
        path.write_bytes(case)
        for recording in recordings_of(path):
            _check_source(recording.open())

    return Target("token file .pt", 10, 60, ArchiveCases(samples), parse, REFUSALS, peak_kb=4096, measured_every=4)


def _lmdb_values() -> list[Target]:
    """The values of a cache. Its pages are LMDB's own affair, in C: a damaged page may end the process."""
    entry, where = make_entry(_CODES.T, _SAMPLES, {"source": "a.wav"}), Path("cache.lmdb")

    def parse_header(case: bytes) -> None:
        spec, layers = read_header(case, where)
        assert 1 <= layers <= spec.num_layers

    def parse_entry(case: bytes) -> None:
        view = EntryView(case, SPEC, 4, "'a' in cache.lmdb")
        assert view.codes.shape[1] == 4
        assert view.entry().num_frames == len(view.codes)
        assert 0 <= view.num_samples <= MAX_SAMPLES

    header = JsonCases([make_header(SPEC, 4)])
    return [
        Target("cache header", 10, 300, header, parse_header, (TokenFileError,)),
        Target("cache entry", 10, 300, ByteCases([entry]), parse_entry, (TokenFileError,)),
    ]


def _onnx_metadata(folder: Path) -> Target:
    path = folder / "case.onnx"
    described = {"file": "case.onnx.data", "bytes": 3, "sha256": "ab" * 32}
    (folder / "case.onnx.data").write_bytes(b"abc")
    texts = JsonCases([json.dumps(described).encode()])

    def model(text: bytes) -> bytes:
        entry = protobuf_field(1, b"voxwire.data") + protobuf_field(2, text)
        other = protobuf_field(1, b"voxwire.half") + protobuf_field(2, b"decoder")
        return b"\x08\x09" + protobuf_field(7, b"graph" * 20) + protobuf_field(14, other) + protobuf_field(14, entry)

    damaged = ByteCases([model(json.dumps(described).encode())])

    def make(random: Random) -> bytes:
        return damaged(random) if random.random() < 0.5 else model(texts(random))

    def parse(case: bytes) -> None:
        path.write_bytes(case)
        data = data_file_of(path)
        if data is not None:
            assert Path(data.file).name == data.file
            data.check(path)

    return Target("model metadata", 10, 300, make, parse, (ModelError,))


def _check_source(source: TokenSource) -> None:
    """Read all of it: as many frames as it says, of as many layers, with codes of its codec."""
    frames = 0
    for codes in source:
        layers, count = codes.shape
        assert layers == source.layers
        assert 1 <= count <= FRAMES_PER_READ
        if source.spec is not None:
            assert int(codes.max()) < source.spec.codebook_size
        frames += count
    assert frames == source.num_frames
    assert source.num_samples is None or 0 <= source.num_samples <= MAX_SAMPLES
