from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from protocol.service import PeriodicStats, ServiceError, stats_at_the_end, write_stats


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


def test_a_disk_that_is_full_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill_up(path: Path, text: str, **options: str) -> int:
        path.write_bytes(text.encode()[:5])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", fill_up)
    with pytest.raises(ServiceError, match=r"Cannot write the statistics to .*: No space left on device"):
        write_stats(tmp_path / "stats.json", {"frames": 1})
    assert list(tmp_path.iterdir()) == []


def test_statistics_are_written_however_the_run_ends(tmp_path: Path) -> None:
    with stats_at_the_end(tmp_path / "well.json", lambda: {"frames": 1}):
        pass
    with pytest.raises(KeyError), stats_at_the_end(tmp_path / "badly.json", lambda: {"frames": 2}):
        raise KeyError
    assert json.loads((tmp_path / "well.json").read_text()) == {"frames": 1}
    assert json.loads((tmp_path / "badly.json").read_text()) == {"frames": 2}


def test_a_run_that_failed_says_why_and_not_that_its_statistics_failed_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = tmp_path / "nowhere" / "stats.json"
    with pytest.raises(ServiceError, match="the run"), stats_at_the_end(nowhere, dict):
        raise ServiceError("the run failed")
    assert "Cannot write the statistics" in caplog.text
    with pytest.raises(ServiceError, match="Cannot write the statistics"), stats_at_the_end(nowhere, dict):
        pass


def test_without_a_file_nothing_is_counted() -> None:
    with stats_at_the_end(None, lambda: pytest.fail("nobody asked")):
        pass


def test_counters_are_written_again_and_again_while_a_process_runs(tmp_path: Path) -> None:
    path, clock, taken = tmp_path / "stats.json", FakeClock(), iter(range(10))
    written = PeriodicStats(path, 0.5, lambda: {"late": next(taken)}, clock=clock)
    written.tick()
    assert not path.exists()
    for now, late in ((0.5, 0), (0.9, 0), (1.1, 1)):
        clock.now = now
        written.tick()
        assert json.loads(path.read_text()) == {"late": late}


@pytest.mark.parametrize(("path", "every_s"), [(None, 1.0), (Path("stats.json"), 0.0)])
def test_without_a_file_or_a_time_nothing_is_written_meanwhile(path: Path | None, every_s: float) -> None:
    clock = FakeClock()
    written = PeriodicStats(path, every_s, lambda: pytest.fail("nobody asked for it"), clock=clock)
    clock.now = 1e6
    written.tick()


def test_counters_that_cannot_be_written_meanwhile_are_said_once_and_end_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()
    written = PeriodicStats(tmp_path / "none" / "stats.json", 1.0, dict, clock=clock)
    for now in (1.0, 2.0, 3.0):
        clock.now = now
        written.tick()
    assert len(caplog.records) == 1


class FakeClock:
    now = 0.0

    def __call__(self) -> float:
        return self.now
