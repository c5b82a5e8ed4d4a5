"""Real processes, a real broker, real ONNX files: from a file to a rebuilt WAV, and every way in which it may fail."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from codec import CodecSpec
from gateway.demo.broker import RunningBroker, start_broker
from gateway.demo.quality import align
from tests.integration.watcher import TOPICS, Watcher

pytestmark = [pytest.mark.broker, pytest.mark.slow]

Start = Callable[..., "subprocess.Popen[str]"]

SECONDS = 2.0
FRAMES = 25
_END_S = 40.0


def finish(process: subprocess.Popen[str], timeout_s: float = _END_S) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a process that is expected to end by itself."""
    out, err = process.communicate(timeout=timeout_s)
    return process.returncode, out, err


SHORT_PATIENCE = """
import edge_player.pipeline, gateway.pipeline, protocol.transport.waiting
gateway.pipeline.CONNECT_TIMEOUT_S = edge_player.pipeline.WAIT_S = 1.0
protocol.transport.waiting.probe_broker.__kwdefaults__["timeout_s"] = 1.0
"""
"""A prelude: what is waited for in vain is waited for a second, not five or ten. What is said then is the same."""


def assert_one_sentence(err: str, part: str) -> None:
    """The last line says what is wrong, once, and no traceback is shown."""
    assert "Traceback" not in err
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, err
    assert part in errors[0]


def processes_that_mention(text: str) -> list[str]:
    """Command lines of running processes with `text` in them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line:
            found.append(line)
    return found


def wait_for_log(path: Path, text: str, timeout_s: float = _END_S) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if path.exists() and text in path.read_text(errors="replace"):
            return
        time.sleep(0.05)
    raise AssertionError(f"{text!r} never came in {path}")


@pytest.fixture
def play(start: Start, broker: RunningBroker, toy_codec: Path, tmp_path: Path) -> Callable[..., Any]:
    """Starts a player that waits for the stream `test` and ends with it: `play(*more)`; it is there on return."""

    def run(*more: str) -> subprocess.Popen[str]:
        arguments = ["run", "--stream", "test", "--broker", broker.url, "--model", str(toy_codec), "--wait"]
        arguments += ["--exit-on-stop", "--id", "player", "--stats-file", str(tmp_path / "player.json")]
        process = start("edge_player", *arguments, *more)
        with Watcher(broker.url) as watcher:
            watcher.rely_on(process)
            # Said right behind its subscriptions: a stream that begins now is heard from its first frame.
            topic = TOPICS.edge_status("player")
            watcher.wait_for_status(topic, lambda status: status.state == "waiting", "the player")
        return process

    return run


@pytest.fixture
def send(start: Start, broker: RunningBroker, toy_codec: Path, tmp_path: Path) -> Callable[..., Any]:
    """Starts a gateway that sends the stream `test`: `send(*more)`."""

    def run(*more: str, **options: Any) -> subprocess.Popen[str]:
        arguments = ["run", "--stream", "test", "--broker", broker.url, "--model", str(toy_codec), "--id", "gw"]
        arguments += ["--stats-file", str(tmp_path / "gateway.json")]
        return start("gateway", *arguments, *more, **options)

    return run


def stats(tmp_path: Path, name: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((tmp_path / f"{name}.json").read_text())
    return values


def assert_identities(tmp_path: Path) -> None:
    gateway, player = stats(tmp_path, "gateway"), stats(tmp_path, "player")
    assert gateway["frames_encoded"] == gateway["frames_published"] + gateway["frames_dropped"]
    parts = ("frames_played", "frames_concealed", "frames_skipped", "frames_comfort")
    assert player["frames_due"] == sum(player[part] for part in parts)


@pytest.mark.parametrize("link", ["lan", "wan"])
def test_a_file_comes_out_as_it_went_in(
    play: Start, send: Start, hum: Callable[[float], Path], tmp_path: Path, link: str
) -> None:
    source = hum(SECONDS)
    player = play("--out", str(tmp_path / "result.wav"))
    gateway = send("--source", str(source), "--link", link, "--start-delay", "500ms")
    assert finish(gateway)[0] == 0
    assert finish(player)[0] == 0
    assert_identities(tmp_path)
    sent, got = stats(tmp_path, "gateway"), stats(tmp_path, "player")
    assert sent["frames_encoded"] == sent["frames_published"] == FRAMES
    assert got["frames_due"] == got["frames_played"] == FRAMES
    assert got["frames_concealed"] == got["frames_skipped"] == 0
    original, rate = soundfile.read(source, dtype="float32")
    rebuilt, rebuilt_rate = soundfile.read(tmp_path / "result.wav", dtype="float32")
    assert rebuilt_rate == rate
    aligned = align(original, rebuilt)
    assert len(aligned.reference) > 0.9 * len(original)
    assert np.corrcoef(aligned.reference, aligned.degraded)[0, 1] > 0.95


def test_raw_pcm_on_standard_input_is_a_source(play: Start, send: Start, tmp_path: Path) -> None:
    player = play("--out", "null")
    gateway = send("--source", "-", "--rate", "8000", "--link", "lan", "--start-delay", "500ms", stdin=subprocess.PIPE)
    assert gateway.stdin is not None
    os.write(gateway.stdin.fileno(), np.zeros(8000, dtype="<i2").tobytes())
    gateway.stdin.close()
    gateway.stdin = None
    assert finish(gateway)[0] == 0
    assert finish(player)[0] == 0
    assert stats(tmp_path, "gateway")["frames_encoded"] == stats(tmp_path, "player")["frames_played"] == 13
    assert_identities(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_stream_cleanly_and_the_player_with_it(
    play: Start,
    send: Start,
    broker: RunningBroker,
    hum: Callable[[float], Path],
    tmp_path: Path,
    number: signal.Signals,
) -> None:
    player = play("--out", "null")
    with Watcher(broker.url) as watcher:
        gateway = send("--source", str(hum(SECONDS)), "--loop", "--link", "lan", "--start-delay", "500ms")
        watcher.rely_on(gateway)
        watcher.wait_for_count(TOPICS.tokens("test"), FRAMES)  # a packet a frame: it loops by now
    assert gateway.poll() is None
    gateway.send_signal(number)
    begun = time.monotonic()
    code, _, err = finish(gateway)
    assert code == 0, err
    assert time.monotonic() - begun < 5.0
    assert "Traceback" not in err
    assert finish(player)[0] == 0
    assert_identities(tmp_path)
    assert 0 < stats(tmp_path, "gateway")["frames_encoded"] == stats(tmp_path, "player")["frames_due"]


def test_for_ends_a_looped_stream(send: Start, hum: Callable[[float], Path], tmp_path: Path) -> None:
    gateway = send("--source", str(hum(0.5)), "--loop", "--for", "1600ms", "--json")
    code, out, _ = finish(gateway)
    assert code == 0
    assert json.loads(out)["frames_encoded"] == 20


def test_check_says_ok_and_names_what_it_tried(
    start: Start, broker: RunningBroker, toy_codec: Path, hum: Callable[[float], Path]
) -> None:
    arguments = ["--source", str(hum(0.2)), "--broker", broker.url, "--model", str(toy_codec), "--json"]
    code, out, err = finish(start("gateway", "check", *arguments))
    assert code == 0, err
    report = json.loads(out)
    names = ["engine", "encoder", "speed", "source", "broker", "permissions"]
    assert [(step["name"], step["ok"]) for step in report["steps"]] == [(name, True) for name in names]


def test_check_reports_every_failure_with_the_exit_code_of_the_first(start: Start, tmp_path: Path) -> None:
    arguments = ["--source", str(tmp_path / "none.wav"), "--broker", "mqtt://127.0.0.1:1", "--model", str(tmp_path)]
    code, out, err = finish(start("gateway", "check", *arguments, prelude=SHORT_PATIENCE))
    assert code == 66, err
    assert out.count("FAILED") == 3
    assert "File not found at" in out


def not_audio(folder: Path) -> Path:
    path = folder / "letter.txt"
    path.write_text("Dear reader, this is no sound.\n" * 50)
    return path


def empty_file(folder: Path) -> Path:
    path = folder / "empty.wav"
    path.write_bytes(b"")
    return path


def soundless_file(folder: Path) -> Path:
    path = folder / "soundless.wav"
    soundfile.write(path, np.zeros(0), 16000)
    return path


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: folder / "none.wav", "File not found at"),
        (not_audio, "Unsupported file type — expected WAV/MP3/FLAC/OGG/M4A"),
        (empty_file, "the file is empty"),
        (soundless_file, "the file is empty"),
    ],
)
def test_a_source_without_audio_is_one_sentence_and_66(
    send: Start, tmp_path: Path, make: Callable[[Path], Path], sentence: str
) -> None:
    code, _, err = finish(send("--source", str(make(tmp_path))))
    assert code == 66
    assert_one_sentence(err, sentence)


def test_a_broker_that_is_down_is_one_sentence_and_69(
    start: Start, toy_codec: Path, hum: Callable[[float], Path]
) -> None:
    arguments = ["--source", str(hum(0.2)), "--model", str(toy_codec), "--broker", "mqtt://127.0.0.1:1"]
    code, _, err = finish(start("gateway", "run", *arguments, prelude=SHORT_PATIENCE))
    assert code == 69
    assert_one_sentence(err, "127.0.0.1:1")


def test_a_wrong_password_is_one_sentence_and_77(
    start: Start, toy_codec: Path, hum: Callable[[float], Path], tmp_path: Path
) -> None:
    with start_broker(tmp_path / "guarded", users={"gw": "right"}) as guarded:
        url = guarded.url.replace("mqtt://", "mqtt://gw:wrong@")
        arguments = ["--source", str(hum(0.2)), "--model", str(toy_codec), "--broker", url]
        begun = time.monotonic()
        code, _, err = finish(start("gateway", "run", *arguments))
    assert code == 77
    assert time.monotonic() - begun < 9.5  # a broker that is merely away is waited for 10 s
    assert_one_sentence(err, "")
    assert "wrong" not in err.replace("wrong password", "")


def test_a_truncated_model_is_one_sentence_and_76(
    start: Start, toy_codec: Path, hum: Callable[[float], Path], tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    data = (toy_codec / "encoder.onnx").read_bytes()
    (broken / "encoder.onnx").write_bytes(data[: len(data) // 2])
    code, _, err = finish(start("gateway", "run", "--source", str(hum(0.2)), "--model", str(broken)))
    assert code == 76
    assert_one_sentence(err, "encoder.onnx")


def test_a_model_of_another_codec_is_one_sentence_and_76(
    start: Start, toy_codec: Path, hum: Callable[[float], Path]
) -> None:
    arguments = ["--source", str(hum(0.2)), "--model", str(toy_codec), "--codec", "nano"]
    code, _, err = finish(start("gateway", "run", *arguments))
    assert code == 76
    assert_one_sentence(err, "toy")


def test_a_player_with_other_weights_refuses_the_stream(
    start: Start, send: Start, broker: RunningBroker, make_codec: Callable[..., Path], hum: Callable[[float], Path]
) -> None:
    spec = CodecSpec(
        name="toy",
        sample_rate=16000,
        frame_size=1280,
        num_layers=16,
        codebook_size=2048,
        delay_samples=0,
        weights_sha256="99" * 32,
    )
    send("--source", str(hum(SECONDS)), "--loop")
    arguments = ["--stream", "test", "--broker", broker.url, "--model", str(make_codec(spec)), "--out", "null"]
    code, _, err = finish(start("edge_player", "run", *arguments))
    assert code == 76
    assert_one_sentence(err, "weights")


def test_a_stream_that_is_not_there_is_one_sentence_and_66(
    start: Start, broker: RunningBroker, toy_codec: Path
) -> None:
    arguments = ["--stream", "nobody", "--broker", broker.url, "--model", str(toy_codec), "--out", "null"]
    code, _, err = finish(start("edge_player", "run", *arguments, prelude=SHORT_PATIENCE))
    assert code == 66
    assert_one_sentence(err, "nobody")


def test_no_source_and_an_unknown_key_are_told_apart(start: Start, tmp_path: Path) -> None:
    code, _, err = finish(start("gateway", "run"))
    assert code == 66
    assert_one_sentence(err, "--source")
    (tmp_path / "gateway.toml").write_text('[source]\ntargit = "talk.wav"\n')
    code, _, err = finish(start("gateway", "run", "--config", str(tmp_path / "gateway.toml")))
    assert code == 78
    assert_one_sentence(err, "source.target")


def test_the_demo_prints_its_figures_and_leaves_nothing_running(
    start: Start, toy_codec: Path, hum: Callable[[float], Path], tmp_path: Path
) -> None:
    out_folder = tmp_path / "demo"
    arguments = ["--source", str(hum(3.0)), "--out", str(out_folder), "--model", str(toy_codec), "--json"]
    code, out, err = finish(start("gateway", "demo", *arguments), timeout_s=90.0)
    assert code == 0, err
    figures = json.loads(out)
    assert figures["frames_encoded"] == figures["frames_due"] == figures["frames_played"] == 38
    assert figures["frames_concealed"] == figures["frames_skipped"] == 0
    assert figures["codec"] == "toy"
    assert 0 < figures["wire_up_kbps"] < figures["wire_down_kbps"] < 10
    assert figures["saving_percent"] > 97
    assert 1200 < figures["latency_ms_p50"] <= figures["latency_ms_p95"] < 2500
    assert (out_folder / "result.wav").stat().st_size > 2 * 16000 * 2
    assert (out_folder / "spectrograms.png").read_bytes().startswith(b"\x89PNG")
    assert processes_that_mention(str(out_folder)) == []


def test_a_demo_whose_player_fails_ends_with_its_sentence_and_code(
    start: Start, toy_codec: Path, hum: Callable[[float], Path], tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "encoder.onnx").write_bytes((toy_codec / "encoder.onnx").read_bytes())
    (broken / "decoder.onnx").write_bytes((toy_codec / "decoder.onnx").read_bytes()[:500])
    arguments = ["--source", str(hum(1.0)), "--out", str(tmp_path / "demo"), "--model", str(broken)]
    code, _, err = finish(start("gateway", "demo", *arguments))
    assert code == 76
    assert_one_sentence(err, "decoder.onnx")
    assert processes_that_mention(str(tmp_path / "demo")) == []


def test_a_demo_that_is_interrupted_takes_its_processes_along(
    start: Start, toy_codec: Path, hum: Callable[[float], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "demo"
    arguments = ["--source", str(hum(20.0)), "--out", str(folder), "--model", str(toy_codec)]
    demo = start("gateway", "demo", *arguments)
    wait_for_log(folder / "gateway.log", "stream demo")
    demo.send_signal(signal.SIGTERM)
    code, _, err = finish(demo)
    assert code == 1
    assert_one_sentence(err, "Stopped before the end")
    assert processes_that_mention(str(folder)) == []
