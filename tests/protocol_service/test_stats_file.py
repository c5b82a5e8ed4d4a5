from __future__ import annotations

import os
from pathlib import Path

import pytest

from protocol.service import ServiceError, write_stats


def test_statistics_are_one_json_object(tmp_path: Path) -> None:
    write_stats(tmp_path / "stats.json", {"frames_due": 3})
    assert (tmp_path / "stats.json").read_text() == '{\n "frames_due": 3\n}\n'
    assert [path.name for path in tmp_path.iterdir()] == ["stats.json"]


def test_a_former_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "stats.json"
    path.write_text("{}" * 1000)
    write_stats(path, {"late": 0})
    assert path.read_text() == '{\n "late": 0\n}\n'


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    write_stats(path, {"late": 1})
    assert os.read(reader, 100) == b'{\n "late": 1\n}\n'
    os.close(reader)
    assert path.is_fifo()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"Cannot write the statistics to .*none.*name another file"):
        write_stats(tmp_path / "none" / "stats.json", {})
