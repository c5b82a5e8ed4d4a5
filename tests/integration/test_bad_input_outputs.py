"""What a player writes to, and the statistics of both ends, where it cannot be written: at the start and half way."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from gateway.demo.broker import RunningBroker
from tests.integration.bad_input import NOBODY_LISTENS, Command, launch, run
from tests.integration.nano_path import start_mosquitto

pytestmark = [pytest.mark.broker, pytest.mark.slow]

SMALL_DISK_BYTES = 64 * 1024
"""2 s of sound at 16 kHz."""

# Python ignores SIGXFSZ: a file at its limit refuses further bytes, as a full disk does.
LIMIT_FILES = f"import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, ({SMALL_DISK_BYTES},) * 2)"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """A broker and a gateway that sends a tone to the stream `tone` for as long as the module lasts."""
    folder = tmp_path_factory.mktemp("site")
    soundfile.write(folder / "tone.wav", 0.3 * np.sin(np.arange(16000) / 10), 16000)
    with start_mosquitto(folder) as broker:
        arguments = ["run", "--source", folder / "tone.wav", "--loop", "--stream", "tone", "--link", "lan"]
        with launch(folder, "gateway", *arguments, "--broker", broker.url) as gateway:
            gateway.wait_for_log("connected to")
            yield broker
            assert gateway.process.poll() is None, gateway.err


@contextmanager
def playing(site: RunningBroker, folder: Path, *more: str | Path, prelude: str = "") -> Iterator[Command]:
    arguments = ["run", "--stream", "tone", "--broker", site.url, *more]
    with launch(folder, "edge_player", *arguments, prelude=prelude) as player:
        yield player


def assert_is_whole(path: Path, *, least_s: float) -> None:
    """A WAV file whose header tells the truth, to a reader that believes it."""
    info = soundfile.info(path)
    assert info.duration >= least_s
    assert path.stat().st_size == 44 + 2 * info.frames


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A folder that takes 64 KiB. prelude: what a process runs that is to find it small. full: what it says then."""

    folder: Path
    prelude: str
    full: str


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A file system of its own where we may mount one, otherwise the limit that stands in for it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_BYTES}", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        yield SmallDisk(folder, LIMIT_FILES, "File too large")
        return
    try:
        yield SmallDisk(folder, "", "No space left on device")
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_fills_up_ends_the_player_and_leaves_a_valid_file(
    site: RunningBroker, tmp_path: Path, small_disk: SmallDisk
) -> None:
    wav, stats = small_disk.folder / "a.wav", small_disk.folder / "stats.json"
    with playing(site, tmp_path, "--out", wav, "--stats-file", stats, prelude=small_disk.prelude) as player:
        outcome = player.finish()
    outcome.assert_refused(74, f"Cannot write {wav}: {small_disk.full}; make room there or choose another file")
    assert_is_whole(wav, least_s=1.9)
    if not small_disk.prelude:  # the statistics had no room either: said, without hiding what came first
        assert outcome.warnings("Cannot write the statistics")
        assert [path.name for path in small_disk.folder.iterdir()] == ["a.wav"]


def test_a_file_at_the_limit_of_the_process_is_told_like_a_full_disk(site: RunningBroker, tmp_path: Path) -> None:
    with playing(site, tmp_path, "--out", tmp_path / "a.wav", prelude=LIMIT_FILES) as player:
        player.finish().assert_refused(74, f"Cannot write {tmp_path / 'a.wav'}: File too large")
    assert_is_whole(tmp_path / "a.wav", least_s=2.0)


def test_a_disk_that_is_full_from_the_start_is_told_before_anything_else(tmp_path: Path) -> None:
    (tmp_path / "a.wav").symlink_to("/dev/full")
    run(tmp_path, "edge_player", "run", "--out", tmp_path / "a.wav", "--broker", NOBODY_LISTENS).assert_refused(
        74, f"Cannot write {tmp_path / 'a.wav'}: No space left on device"
    )
    assert (tmp_path / "a.wav").is_symlink()


def read_only_folder(folder: Path) -> Path:
    if os.geteuid() == 0:
        return Path("/sys/kernel")  # root may write wherever the file system lets anybody
    folder = folder / "shut"
    folder.mkdir()
    folder.chmod(0o555)
    return folder


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("nowhere/a.wav", "No such file or directory"),
        ("folder.wav", "Is a directory"),
        ("file/a.wav", "Not a directory"),
        ("x" * 300 + ".wav", "File name too long"),
        (None, ""),
    ],
)
def test_a_file_that_cannot_be_made_is_told_before_anybody_connects(
    tmp_path: Path, place: str | None, reason: str
) -> None:
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "file").touch()
    path = read_only_folder(tmp_path) / "a.wav" if place is None else tmp_path / place
    outcome = run(tmp_path, "edge_player", "run", "--out", path, "--broker", NOBODY_LISTENS)
    outcome.assert_refused(74, f"Cannot write {path}: {reason}")
    assert "choose another file with --out" in outcome.err
    assert not os.path.isfile(path)


def test_a_player_that_heard_nothing_leaves_no_file(site: RunningBroker, tmp_path: Path) -> None:
    arguments = ["run", "--stream", "nobody", "--broker", site.url, "--out", tmp_path / "a.wav", "--for", "300ms"]
    run(tmp_path, "edge_player", *arguments).assert_fine()
    assert not (tmp_path / "a.wav").exists()


@pytest.mark.parametrize("module", ["gateway", "edge_player"])
def test_statistics_that_cannot_be_written_are_one_sentence_after_the_run(
    site: RunningBroker, tmp_path: Path, module: str
) -> None:
    """The run itself went well; what it was asked for is not there, so it did not end well."""
    soundfile.write(tmp_path / "a.wav", np.zeros(1600), 16000)
    what = ["--source", tmp_path / "a.wav"] if module == "gateway" else ["--out", "null", "--for", "300ms"]
    path = tmp_path / "nowhere" / "stats.json"
    outcome = run(tmp_path, module, "run", *what, "--stream", "mine", "--broker", site.url, "--stats-file", path)
    outcome.assert_refused(1, f"Cannot write the statistics to {path}: No such file or directory")


def test_a_failure_is_told_even_where_the_statistics_cannot_be_written_either(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "stats.json"
    arguments = ["run", "--source", tmp_path / "none.wav", "--broker", NOBODY_LISTENS, "--stats-file", path]
    outcome = run(tmp_path, "gateway", *arguments)
    outcome.assert_refused(66, "File not found at")
    assert outcome.warnings("Cannot write the statistics")


def test_a_full_standard_output_is_one_sentence(site: RunningBroker, tmp_path: Path) -> None:
    arguments = ["run", "--stream", "tone", "--broker", site.url, "--out", "null", "--for", "300ms", "--json"]
    arguments += ["--log-level", "error"]  # with --json the log is JSON too
    with Path("/dev/full").open("wb") as full, launch(tmp_path, "edge_player", *arguments, stdout=full.fileno()) as one:
        one.finish().assert_refused(1, "Cannot write to standard output: No space left on device")


def test_sound_on_a_full_standard_output_is_one_sentence_and_74(site: RunningBroker, tmp_path: Path) -> None:
    arguments = ["run", "--stream", "tone", "--broker", site.url, "--out", "-"]
    with Path("/dev/full").open("wb") as full, launch(tmp_path, "edge_player", *arguments, stdout=full.fileno()) as one:
        one.finish().assert_refused(74, "Cannot write to standard output: No space left on device")


def test_a_reader_of_the_sound_that_leaves_is_one_sentence_and_74(site: RunningBroker, tmp_path: Path) -> None:
    head = subprocess.Popen(["head", "-c", "6400"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert head.stdin is not None
    arguments = ["run", "--stream", "tone", "--broker", site.url, "--out", "-"]
    with launch(tmp_path, "edge_player", *arguments, stdout=head.stdin.fileno()) as player:
        head.stdin.close()
        player.finish().assert_refused(74, "The reader of our standard output has gone")
    assert head.wait(10.0) == 0
