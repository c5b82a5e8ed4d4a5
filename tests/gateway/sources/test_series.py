from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.config import SourceConfig
from gateway.errors import SourceError
from gateway.sources import AudioSource, DirectorySource, select_source
from gateway.sources.files import find_audio_files
from gateway.sources.series import ordered
from tests.gateway.sources.web_server import RATE, WebServer, body_of, file_of, radio_of, wav_bytes

Wav = Callable[..., Path]


def seconds(source: AudioSource) -> float:
    with source:
        return sum(block.samples.size for block in source.blocks(threading.Event())) / RATE


def played(source: AudioSource, *, blocks: int) -> list[int]:
    """Sample counts of the first so many blocks with sound; files here are one block each."""
    sizes: list[int] = []
    stop = threading.Event()
    with source:
        for block in source.blocks(stop):
            if block.samples.size:
                sizes.append(block.samples.size)
            if len(sizes) == blocks:
                stop.set()
    return sizes


def test_a_directory_is_read_with_its_folders_in_natural_order(wav: Wav, tmp_path: Path) -> None:
    for name in ("talks/10.wav", "talks/2.wav", "talks/b/1.wav", "talks/.hidden.wav", "talks/.git/x.wav"):
        wav(name)
    (tmp_path / "talks" / "again").symlink_to(tmp_path / "talks", target_is_directory=True)
    found = [str(Path(path).relative_to(tmp_path / "talks")) for path in find_audio_files(tmp_path / "talks")]
    assert found == ["2.wav", "10.wav", "b/1.wav"]


def test_a_file_that_is_added_joins_on_the_next_pass(wav: Wav, tmp_path: Path) -> None:
    wav("talks/a.wav", seconds=0.1)
    source = DirectorySource(tmp_path / "talks", sample_rate=RATE, loop=True)
    stop = threading.Event()
    sizes = []
    with source:
        for block in source.blocks(stop):
            sizes.append(block.samples.size)
            if len(sizes) == 1:
                wav("talks/b.wav", seconds=0.2)
            if len(sizes) == 3:
                stop.set()
    assert sizes == [1600, 1600, 3200]


def test_a_shuffled_directory_plays_each_file_once_a_pass_in_ever_other_orders(wav: Wav, tmp_path: Path) -> None:
    lengths = [0.1, 0.2, 0.3, 0.4]
    for length in lengths:
        wav(f"talks/{length}.wav", seconds=length)
    config = SourceConfig(target=str(tmp_path / "talks"), loop=True, shuffle=True)
    sizes = played(select_source(config, sample_rate=RATE), blocks=40)
    passes = [sizes[start : start + 4] for start in range(0, 40, 4)]
    assert all(sorted(each) == [1600, 3200, 4800, 6400] for each in passes)
    assert all(one != other for one, other in itertools.pairwise(passes))
    assert all(one[-1] != other[0] for one, other in itertools.pairwise(passes))


@pytest.mark.parametrize("targets", [[], ["a"], ["a", "b"], ["a", "a", "b"], list("abcdef")])
def test_an_order_holds_every_target_once(targets: list[str]) -> None:
    previous: list[str] = []
    for _ in range(20):
        shuffled = ordered(targets, previous, random.Random(1))
        assert sorted(shuffled) == sorted(targets)
        if len(targets) == 2 and previous:
            assert shuffled != previous
        previous = shuffled


def test_a_play_list_plays_its_files_and_passes_over_what_is_broken(
    wav: Wav, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wav("a.wav", seconds=0.2)
    wav("日本語 é.wav", seconds=0.3)
    (tmp_path / "list.m3u").write_text("日本語 é.wav\nnone.wav\nlist.txt\na.wav\n")
    (tmp_path / "list.txt").write_text("no audio")
    source = select_source(SourceConfig(target=str(tmp_path / "list.m3u")), sample_rate=RATE)
    assert seconds(source) == pytest.approx(0.5)
    assert source.counters["input_files_skipped"] == 2
    assert "skipped none.wav: File not found" in caplog.text


def test_a_play_list_may_name_addresses(web: WebServer, wav: Wav, tmp_path: Path) -> None:
    wav("a.wav", seconds=0.2)
    web.routes["/b.wav"] = file_of(wav_bytes(0.3), content_type="audio/wav")
    (tmp_path / "list.m3u").write_text(f"a.wav\n{web.url('/b.wav')}\n{web.url('/gone.wav')}\n")
    source = select_source(SourceConfig(target=str(tmp_path / "list.m3u")), sample_rate=RATE)
    assert seconds(source) == pytest.approx(0.5)
    assert source.counters["input_files_skipped"] == 1


def test_a_play_list_of_nothing_that_can_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "list.m3u").write_text("none.wav\n")
    with pytest.raises(SourceError, match="None of the audio files in the play list"):
        seconds(select_source(SourceConfig(target=str(tmp_path / "list.m3u"), loop=True), sample_rate=RATE))


def test_an_empty_play_list_is_known_when_it_is_opened(tmp_path: Path) -> None:
    (tmp_path / "list.pls").write_text("[playlist]\n")
    with pytest.raises(SourceError, match="names nothing to play"):
        select_source(SourceConfig(target=str(tmp_path / "list.pls")), sample_rate=RATE).__enter__()


def test_a_play_list_behind_an_address_plays_what_it_names(web: WebServer) -> None:
    web.routes["/list.m3u"] = body_of(b"#EXTM3U\na.wav\nsub/b.wav\ngone.wav\n", "audio/x-mpegurl")
    web.routes["/a.wav"] = file_of(wav_bytes(0.2), content_type="audio/wav")
    web.routes["/sub/b.wav"] = file_of(wav_bytes(0.3), content_type="audio/wav")
    source = select_source(SourceConfig(target=web.url("/list.m3u")), sample_rate=RATE)
    assert seconds(source) == pytest.approx(0.5)
    assert source.counters["input_files_skipped"] == 1
    assert source.description == f"play list {web.url('/list.m3u')}"


def test_the_one_radio_of_a_play_list_is_heard_as_if_it_was_named_itself(web: WebServer, mp3: bytes) -> None:
    web.routes["/radio.pls"] = body_of(b"[playlist]\nFile1=live\n", "audio/x-scpls")
    web.routes["/live"] = radio_of(mp3, bytes_per_s=8000, burst=24_000)
    source = select_source(SourceConfig(target=web.url("/radio.pls")), sample_rate=RATE)
    stop = threading.Event()
    with source:
        assert source.description == f"radio Radio Eins at {web.url('/live')}"
        assert any(block.samples.size for block in source.blocks(stop))
        stop.set()


def test_with_wait_an_address_may_turn_out_to_be_a_play_list_later(web: WebServer) -> None:
    web.routes["/a.wav"] = file_of(wav_bytes(0.2), content_type="audio/wav")
    web.routes["/b.wav"] = file_of(wav_bytes(0.3), content_type="audio/wav")
    the_list = body_of(b"a.wav\nb.wav\n", "audio/x-mpegurl")
    web.routes["/list.m3u"] = lambda r: the_list(r) if web.asked("/list.m3u") > 1 else r.send_error(503)
    source = select_source(SourceConfig(target=web.url("/list.m3u")), sample_rate=RATE, wait=True)
    assert seconds(source) == pytest.approx(0.5)


@pytest.mark.parametrize("target", ["rtsp://radio.example/talk", "ftp://h/a.mp3", "concat://a|b"])
def test_another_protocol_is_refused(target: str) -> None:
    with pytest.raises(
        SourceError, match=r"cannot be opened, expected an address that starts with http:// or https://"
    ):
        select_source(SourceConfig(target=target), sample_rate=RATE)


def test_a_file_address_is_a_file(wav: Wav) -> None:
    path = wav("a b.wav", seconds=0.2)
    source = select_source(SourceConfig(target=f"file://{str(path).replace(' ', '%20')}"), sample_rate=RATE)
    assert seconds(source) == pytest.approx(0.2)
