"""qwen3-12hz from a file to a sink: real processes, a real broker, small random weights of which every one counts."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import soundfile
from numpy.typing import NDArray

from codec import CodecSpec, Encoder, load_decoder, load_encoder
from codec.bench import speech_like_noise
from edge_player.cli import main as player_main
from gateway.cli import main as gateway_main
from gateway.demo.broker import RunningBroker
from protocol.manifest import CodecIdentity, StreamManifest, Tier, encode_manifest
from protocol.transport import BrokerConfig, Connection
from tests.integration.nano_path import (
    NanoRun,
    NanoStream,
    assert_every_frame_was_played,
    finish,
    processes,
    start_mosquitto,
)
from tests.integration.watcher import TOPICS, Watcher

pytestmark = [pytest.mark.broker, pytest.mark.slow]

FRAMES = 30
SEND_LAYERS = 8
TOLERANCE = 1e-4
NOBODY = "mqtt://127.0.0.1:9"
"""An address at which no broker listens."""

Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LiveRun:
    """One stream: the counters of both ends, and the codes [K, frames] as the broker saw them."""

    counters: NanoRun
    sent: Codes


@pytest.fixture(autouse=True)
def _brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("protocol.transport.waiting.probe_broker.__kwdefaults__", {"timeout_s": 0.3})


@pytest.fixture(scope="module")
def spec(small_qwen3_onnx: Path) -> CodecSpec:
    return load_decoder(None, model=small_qwen3_onnx).spec


@pytest.fixture(scope="module")
def sound(spec: CodecSpec) -> NDArray[np.float32]:
    """[FRAMES * frame_size] as a file of 16 bits has it."""
    noise = 2.0 * speech_like_noise(spec, FRAMES)
    coarse: NDArray[np.float32] = np.round(np.clip(noise, -1, 1) * 32767).astype(np.float32) / 32768
    return coarse


@pytest.fixture(scope="module")
def runs(
    small_qwen3: Path,
    small_qwen3_onnx: Path,
    spec: CodecSpec,
    sound: NDArray[np.float32],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, LiveRun]:
    """Two streams at once. `torch`: the released weights; QoS 1, five frames a packet, four a step at the player.
    `onnx`: their export; QoS 0, three frames a packet, half of the layers."""
    folder = tmp_path_factory.mktemp("qwen3-live")
    source = folder / "sound.wav"
    soundfile.write(source, sound, spec.sample_rate, subtype="PCM_16")
    gateways = {
        "torch": ["--model", str(small_qwen3), "--link", "wan", "--qos", "1", "--frames-per-packet", "5"],
        "onnx": ["--model", str(small_qwen3_onnx), "--link", "wan", "--qos", "0", "--frames-per-packet", "3"],
    }
    gateways["onnx"] += ["--layers", str(SEND_LAYERS)]
    players = {"torch": ["--frames-per-step", "4"], "onnx": []}
    decoder = str(small_qwen3_onnx / "decoder.onnx")
    with start_mosquitto(folder / "broker") as broker, Watcher(broker.url) as watcher, processes() as start:
        streams = {
            name: NanoStream(name, start=start, watcher=watcher, broker=broker, folder=folder) for name in gateways
        }
        running = [stream.start_player("--model", decoder, *players[name]) for name, stream in streams.items()]
        for stream in streams.values():
            stream.wait_for_player()
        for name, stream in streams.items():
            options = ("--codec", "qwen3-12hz", "--source", str(source), "--start-delay", "500ms")
            running.append(stream.start_gateway(*options, *gateways[name]))
        for process in reversed(running):
            finish(process)
        return {name: LiveRun(stream.collect(), _codes_of(watcher, name)) for name, stream in streams.items()}


def _codes_of(watcher: Watcher, stream: str) -> Codes:
    packets = sorted(watcher.packets(stream), key=lambda packet: packet.first_frame)
    return np.concatenate([packet.codes for packet in packets], axis=1).astype(np.int64)


def frame_by_frame(encoder: Encoder, sound: NDArray[np.float32]) -> Codes:
    """Codes [K, frames], one frame a step as the gateway takes them."""
    with encoder.session() as session:
        steps = [session.encode(frame) for frame in sound.reshape(-1, encoder.spec.frame_size)]
    codes: Codes = np.concatenate(steps, axis=2)[0]
    return codes


def test_every_frame_arrives_and_is_played(runs: dict[str, LiveRun]) -> None:
    for run in runs.values():
        assert run.counters.gateway["codec"] == run.counters.player["codec"] == "qwen3-12hz"
        assert run.counters.gateway["frames_encoded"] == FRAMES
        assert_every_frame_was_played(run.counters)
        assert run.counters.player["decoder_resets"] == 1
        assert run.counters.player["frames_primed"] == 0


def test_the_tokens_of_a_gateway_on_torch_are_those_of_the_codec_alone(
    runs: dict[str, LiveRun], small_qwen3: Path, sound: NDArray[np.float32]
) -> None:
    encoder = load_encoder("qwen3-12hz", model=small_qwen3, threads=1)
    np.testing.assert_array_equal(runs["torch"].sent, frame_by_frame(encoder, sound))


def test_the_tokens_of_a_gateway_on_onnx_are_those_of_the_codec_alone(
    runs: dict[str, LiveRun], small_qwen3_onnx: Path, sound: NDArray[np.float32]
) -> None:
    """In its first layers, which is what is sent."""
    encoder = load_encoder("qwen3-12hz", model=small_qwen3_onnx)
    np.testing.assert_array_equal(runs["onnx"].sent, frame_by_frame(encoder, sound)[:SEND_LAYERS])


@pytest.mark.parametrize("name", ["torch", "onnx"])
def test_what_is_heard_is_what_torch_makes_of_the_tokens_in_one_pass_sample_for_sample(
    runs: dict[str, LiveRun], small_qwen3: Path, spec: CodecSpec, name: str
) -> None:
    run = runs[name]
    with load_decoder("qwen3-12hz", model=small_qwen3, threads=1).session() as session:
        offline = session.decode(run.sent)[0]
    heard, rate = soundfile.read(run.counters.wav, dtype="int16")
    assert rate == spec.sample_rate
    assert len(heard) == len(offline) == FRAMES * spec.frame_size
    assert float(np.sqrt(np.mean(offline**2))) > 0.03, "nothing is heard, so nothing is proved"
    np.testing.assert_allclose(heard / 32767, offline, rtol=0, atol=TOLERANCE)


def test_a_player_with_other_weights_refuses_the_stream(
    mosquitto: RunningBroker,
    start: Callable[..., subprocess.Popen[str]],
    small_qwen3_onnx: Path,
    spec: CodecSpec,
    tmp_path: Path,
) -> None:
    identity = CodecIdentity(**{**dataclasses.asdict(spec), "weights_sha256": "5e" * 32})
    manifest = StreamManifest(
        stream="lobby",
        codec=identity,
        tiers=(Tier(0, spec.num_layers),),
        frames_per_packet=5,
        epoch=7,
        started_at_ms=0,
        first_frame=0,
        gateway_id="gw-1",
        qos=0,
        playout_delay_ms=100,
    )
    with Connection(BrokerConfig(url=mosquitto.url)) as gateway:
        gateway.wait_connected(10)
        gateway.publish(TOPICS.manifest("lobby"), encode_manifest(manifest), qos=1, retain=True, reliable=True)
        assert gateway.flush(10)
    player = start(
        "edge_player", "run", "--stream", "lobby", "--broker", mosquitto.url, "--out", str(tmp_path / "out.wav"),
        "--model", str(small_qwen3_onnx),
    )  # fmt: skip
    _, err = player.communicate(timeout=40)
    assert player.returncode == 76, err
    assert f"weights_sha256 5e5e5e5e5e5e…, this player has qwen3-12hz with {spec.weights_sha256[:12]}…" in err


def test_a_decoder_whose_weights_lie_elsewhere_is_refused(
    small_qwen3_onnx: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Copied without the file beside it."""
    path = tmp_path / "decoder.onnx"
    onnx.save(onnx.load(small_qwen3_onnx / "decoder.onnx", load_external_data=False), path)
    assert player_main(["run", "--model", str(path), "--out", "null"]) == 66
    assert "copy both files" in capsys.readouterr().err


def test_a_player_says_that_released_weights_have_to_be_exported(
    small_qwen3: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert player_main(["run", "--model", str(small_qwen3), "--out", "null"]) == 66
    assert "codec-export decoder --codec qwen3-12hz --model" in capsys.readouterr().err


def findings(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The steps of a `check --json` by name."""
    return {step["name"]: step for step in json.loads(capsys.readouterr().out)["steps"]}


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


@pytest.mark.skipif(_has_gpu(), reason="this machine has a GPU")
@pytest.mark.parametrize("engine", ["torch", "onnx"])
def test_a_gateway_that_is_told_to_use_a_gpu_does_not_take_the_processor(
    small_qwen3: Path, small_qwen3_onnx: Path, engine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model = small_qwen3 if engine == "torch" else small_qwen3_onnx
    arguments = ["--codec", "qwen3-12hz", "--model", str(model), "--device", "cuda"]
    assert gateway_main(["run", "--source", "-", *arguments]) == 78
    assert "was asked for" in capsys.readouterr().err
    assert gateway_main(["check", "--source", "-", "--broker", NOBODY, *arguments]) == 78
    assert "FAILED   encoder" in capsys.readouterr().out


@pytest.mark.skipif(_has_gpu(), reason="this machine has a GPU")
def test_a_player_that_is_told_to_use_a_gpu_does_not_take_the_processor(
    small_qwen3_onnx: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ["--model", str(small_qwen3_onnx)]
    assert player_main(["run", "--provider", "cuda", "--out", "null", *model]) == 78
    assert "was asked for" in capsys.readouterr().err


@pytest.mark.parametrize("engine", ["torch", "onnx"])
def test_check_measures_the_encoder_on_either_engine(
    small_qwen3: Path, small_qwen3_onnx: Path, engine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model = small_qwen3 if engine == "torch" else small_qwen3_onnx
    gateway_main(["check", "--source", "-", "--broker", NOBODY, "--device", "auto", "--model", str(model), "--json"])
    found = findings(capsys)
    assert found["encoder"]["detail"].startswith("qwen3-12hz, weights ")
    assert found["speed"]["figures"]["real_time_factor"] > 0


def test_check_measures_the_decoder_several_frames_a_step(
    small_qwen3_onnx: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--model", str(small_qwen3_onnx), "--frames-per-step", "4", "--provider", "auto"]
    player_main(["check", "--out", "null", "--broker", NOBODY, *arguments, "--json"])
    found = findings(capsys)
    assert found["decoder"]["detail"].startswith("qwen3-12hz, weights ")
    assert found["speed"]["figures"]["real_time_factor"] > 0
