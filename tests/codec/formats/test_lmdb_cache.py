"""The cache of many recordings."""

from __future__ import annotations

import errno
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import lmdb
import numpy as np
import pytest
from numpy.typing import NDArray

from codec.errors import CodecError, CodesError, ModelError, OutputFileError, TokenFileError
from codec.formats import lmdb_writer
from codec.formats.kinds import format_by_content
from codec.formats.lmdb_cache import CacheReader
from codec.formats.lmdb_writer import CacheWriter
from codec.formats.recordings import open_tokens, recordings_of
from codec.spec import CodecSpec


def _codes(frames: int) -> NDArray[np.int64]:
    return np.random.default_rng(frames).integers(0, 2048, (16, frames))


def _add(cache: CacheWriter, name: str, frames: int) -> None:
    sink = cache.sink(name, {"source": name})
    sink.write(_codes(frames))
    sink.finish(frames * 1280 - 480)


@contextmanager
def _cache(path: Path, spec: CodecSpec, *, layers: int | None = None) -> Iterator[CacheWriter]:
    with CacheWriter(path, spec, layers=layers) as cache:
        for name, frames in (("b/two.flac", 40), ("a.wav", 3), ("ünïcode.wav", 26)):
            _add(cache, name, frames)
        yield cache


@pytest.fixture
def cache_path(tmp_path: Path, spec: CodecSpec) -> Path:
    with _cache(tmp_path / "a.lmdb", spec):
        pass
    return tmp_path / "a.lmdb"


def test_a_cache_gives_back_what_went_in(cache_path: Path, spec: CodecSpec) -> None:
    with CacheReader(cache_path) as cache:
        assert (cache.spec, cache.layers, len(cache)) == (spec, 16, 3)
        assert list(cache.names()) == ["a.wav", "b/two.flac", "ünïcode.wav"]
        assert "a.wav" in cache
        assert "none" not in cache
        np.testing.assert_array_equal(cache.codes("b/two.flac"), _codes(40))
        np.testing.assert_array_equal(cache.codes("b/two.flac", first=7, frames=5), _codes(40)[:, 7:12])
        entry = cache.entry("b/two.flac")
        assert (entry.num_frames, entry.num_samples, entry.notes) == (40, 40 * 1280 - 480, {"source": "b/two.flac"})
        with pytest.raises(TokenFileError, match="There is no recording 'none'"):
            cache.codes("none")


def test_its_recordings_are_token_sources(cache_path: Path) -> None:
    assert format_by_content(cache_path) == "lmdb"
    found = list(recordings_of(cache_path))
    with found[1].open() as tokens:
        assert [part.shape for part in tokens] == [(16, 25), (16, 15)]
        assert tokens.num_samples == 40 * 1280 - 480
    with pytest.raises(TokenFileError, match="a collection"):
        open_tokens(cache_path)


def test_fewer_layers_are_kept_for_all(tmp_path: Path, spec: CodecSpec) -> None:
    with _cache(tmp_path / "a.lmdb", spec, layers=2):
        pass
    with CacheReader(tmp_path / "a.lmdb") as cache:
        np.testing.assert_array_equal(cache.codes("a.wav"), _codes(3)[:2])
    with pytest.raises(ModelError, match="keeps 2 layers a frame, not 16"):
        CacheWriter(tmp_path / "a.lmdb", spec)


def test_a_cache_is_of_one_codec_and_its_weights(cache_path: Path, spec: CodecSpec) -> None:
    with pytest.raises(ModelError, match=r"holds codes of made-up \(111111111111…\), not of made-up \(2222") as caught:
        CacheWriter(cache_path, replace(spec, weights_sha256="2" * 64))
    assert caught.value.exit_code == 76


def test_it_grows_beyond_its_first_map(tmp_path: Path, spec: CodecSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmdb_writer, "FIRST_MAP_BYTES", 1 << 16)
    with CacheWriter(tmp_path / "a.lmdb", spec) as writer:
        for number in range(100):
            _add(writer, f"{number:03d}", 100)
    with CacheReader(tmp_path / "a.lmdb") as cache:
        assert len(cache) == 100
        np.testing.assert_array_equal(cache.codes("099"), _codes(100))


def test_what_is_added_twice_is_there_once_as_it_was_added_last(cache_path: Path, spec: CodecSpec) -> None:
    with CacheWriter(cache_path, spec) as writer:
        _add(writer, "a.wav", 30)
    with CacheReader(cache_path) as cache:
        assert len(cache) == 3
        np.testing.assert_array_equal(cache.codes("a.wav"), _codes(30))


def test_a_recording_that_is_broken_off_is_not_in_it(cache_path: Path, spec: CodecSpec) -> None:
    def break_off() -> None:
        with CacheWriter(cache_path, spec) as writer:
            _add(writer, "whole", 5)
            writer.sink("half", {}).write(_codes(5))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    with CacheReader(cache_path) as cache:
        assert "whole" in cache
        assert "half" not in cache


def test_names_that_can_be_no_key_are_refused(cache_path: Path, spec: CodecSpec) -> None:
    with CacheWriter(cache_path, spec) as writer:
        for name in ("", "x" * 512, "\0voxwire"):
            with pytest.raises(OutputFileError, match="cannot be a name"):
                writer.sink(name, {})
            assert writer.entry(name) is None or name == "\0voxwire"
        with pytest.raises(CodesError, match="no place for missing"):
            writer.sink("a", {}).write(np.full((16, 1), -1) + np.eye(16, 1, dtype=np.int64))


def test_files_that_are_none_of_ours_are_told(tmp_path: Path, spec: CodecSpec) -> None:
    (tmp_path / "text.lmdb").write_text("no LMDB" * 1000)
    with pytest.raises(TokenFileError, match="no LMDB cache"):
        CacheReader(tmp_path / "text.lmdb")
    with pytest.raises(OutputFileError, match="Cannot write"):
        CacheWriter(tmp_path / "text.lmdb", spec)
    with pytest.raises(TokenFileError, match="File not found"):
        CacheReader(tmp_path / "none.lmdb")
    with lmdb.open(str(tmp_path / "other.lmdb"), subdir=False) as other, other.begin(write=True) as transaction:
        transaction.put(b"key", b"value")
    with pytest.raises(TokenFileError, match="is no token cache"):
        CacheReader(tmp_path / "other.lmdb")
    with pytest.raises(OutputFileError, match="of something else"):
        CacheWriter(tmp_path / "other.lmdb", spec)


@pytest.mark.parametrize(
    "value", [b"", b"x", bytes(16), b"\1" + bytes(15) + b"odd", b"\1\0\0\0\xff\xff\0\0" + bytes(40)]
)
def test_a_damaged_entry_is_told_and_the_others_are_read(cache_path: Path, spec: CodecSpec, value: bytes) -> None:
    with lmdb.open(str(cache_path), subdir=False) as damaged, damaged.begin(write=True) as transaction:
        transaction.put(b"a.wav", value)
    with CacheReader(cache_path) as cache:
        with pytest.raises(TokenFileError, match="is damaged"):
            cache.codes("a.wav")
        assert cache.codes("b/two.flac").shape == (16, 40)
    with CacheWriter(cache_path, spec) as writer:
        assert writer.entry("a.wav") is None


def test_a_code_outside_the_codebook_is_told(cache_path: Path) -> None:
    with lmdb.open(str(cache_path), subdir=False) as damaged, damaged.begin(write=True) as transaction:
        transaction.put(b"a.wav", b"\1" + bytes(3) + (2).to_bytes(4, "little") + bytes(8) + b"{}" + b"\xff" * 32)
    with CacheReader(cache_path) as cache, pytest.raises(TokenFileError, match="outside the codebook"):
        cache.codes("a.wav")


def test_two_readers_share_a_file_and_a_fork_opens_it_anew(cache_path: Path) -> None:
    first, second = CacheReader(cache_path), CacheReader(cache_path)
    first.close()
    assert second.codes("a.wav").shape == (16, 3)
    first.codes("a.wav")  # opened again
    child = os.fork()
    if child == 0:
        fine = first.codes("a.wav").shape == second.codes("a.wav").shape == (16, 3)
        first.close()
        second.close()
        os._exit(0 if fine else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert first.codes("a.wav").shape == (16, 3)
    copy = pickle.loads(pickle.dumps(second))
    second.close()
    assert copy.codes("a.wav").shape == (16, 3)
    first.close()
    copy.close()


def test_a_reader_sees_what_another_process_adds(cache_path: Path, repository: Path) -> None:
    program = (
        "import sys, numpy as np\n"
        "from codec.formats import lmdb_writer\n"
        "from codec.formats.lmdb_cache import CacheReader\n"
        "with CacheReader(sys.argv[1]) as reader: spec = reader.spec\n"
        "lmdb_writer.FIRST_MAP_BYTES = 1 << 30\n"
        "with lmdb_writer.CacheWriter(sys.argv[1], spec) as writer:\n"
        "    sink = writer.sink('new', {}); sink.write(np.zeros((16, 5), dtype=np.int64)); sink.finish(5000)\n"
    )
    with CacheReader(cache_path) as cache:
        assert "new" not in cache
        subprocess.run([sys.executable, "-c", program, str(cache_path)], cwd=repository, check=True, timeout=60)
        assert cache.codes("new").shape == (16, 5)


def test_a_cache_on_a_medium_that_cannot_be_written_is_read_without_a_lock(
    cache_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = cache_path.with_name(cache_path.name + "-lock")
    lock.unlink()
    monkeypatch.setattr("codec.formats.lmdb_environment.os.access", lambda *_: False)  # root may write everywhere
    with CacheReader(cache_path) as cache:
        assert len(cache) == 3
    assert not lock.exists()


def test_a_full_disk_is_said(cache_path: Path, spec: CodecSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    class FullDisk:
        def begin(self, write: bool) -> None:
            raise lmdb.DiskError("mdb_txn_commit", errno.ENOSPC)

    with CacheWriter(cache_path, spec) as writer, monkeypatch.context() as patched:
        patched.setattr(writer, "_environment", FullDisk())
        _add(writer, "new", 5)
        with pytest.raises(OutputFileError, match="Cannot write"):
            writer.commit()
    with CacheReader(cache_path) as cache:
        assert len(cache) == 3


def test_without_the_package_the_sentence_names_it(
    tmp_path: Path, spec: CodecSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str) -> None:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr("codec.formats.lmdb_environment.importlib.import_module", refuse)
    with pytest.raises(CodecError, match=r"pip install 'voxwire\[cache\]'"):
        CacheWriter(tmp_path / "a.lmdb", spec)
