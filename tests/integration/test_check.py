"""`check` of both ends as a user starts it: real brokers with access lists, a real sound server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.demo.broker import RunningBroker, find_mosquitto, start_broker
from tests.conftest import VirtualSoundCard
from tests.integration.nano_path import Start
from tests.integration.watcher import TOPICS, Watcher

RULES = """user gw
topic readwrite vw/v1/s/lobby/#
topic readwrite vw/v1/gateway/+/status
user edge
topic read vw/v1/s/lobby/#
topic readwrite vw/v1/edge/+/status
user monitor
topic read #
"""
PASSWORD = "hunter2"
RATE_HZ = 48000


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """A broker on which `gw` may send the stream lobby, `edge` may hear it and `monitor` may only read."""
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    folder = tmp_path_factory.mktemp("site")
    rules = folder / "acl"
    rules.write_text(RULES, encoding="utf-8")
    users = dict.fromkeys(("gw", "edge", "monitor"), PASSWORD)
    with start_broker(folder / "broker", prefer="mosquitto", users=users, settings={"acl_file": str(rules)}) as broker:
        yield broker


@pytest.fixture
def check(start: Start, site: RunningBroker, tmp_path: Path, toy_codec: Path) -> Callable[..., tuple[int, Any]]:
    """`check("gateway", "gw", …)`: the exit code and the report, which shows no password. `toy`: with that codec."""
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD, encoding="utf-8")

    def run(program: str, user: str, *arguments: str, toy: bool = True) -> tuple[int, Any]:
        login = ["--broker", site.url, "--username", user, "--password-file", str(secret)]
        model = ["--model", str(toy_codec)] if toy else []
        process = start(program, "check", "--json", *login, *model, *arguments)
        out, err = process.communicate(timeout=40)
        assert "Traceback" not in err
        assert PASSWORD not in out + err
        return process.returncode, json.loads(out)

    return run


def step(report: Any, name: str) -> Any:
    return next(step for step in report["steps"] if step["name"] == name)


@pytest.mark.broker
def test_a_gateway_that_may_do_all_it_needs_is_ready(
    check: Callable[..., tuple[int, Any]], hum: Callable[[float], Path]
) -> None:
    code, report = check("gateway", "gw", "--source", str(hum(1.5)))
    assert code == 0
    assert [step["name"] for step in report["steps"] if not step["ok"]] == []
    assert "as user 'gw'" in step(report, "permissions")["detail"]
    assert step(report, "source")["figures"]["seconds"] >= 1.0


@pytest.mark.broker
def test_a_gateway_that_may_not_publish_is_told_the_topic_and_whose_login_it_is(
    check: Callable[..., tuple[int, Any]], hum: Callable[[float], Path]
) -> None:
    code, report = check("gateway", "gw", "--source", str(hum(0.2)), "--stream", "hall")
    found = step(report, "permissions")
    assert (code, report["exit_code"], found["verdict"]) == (77, 77, "failed")
    assert "vw/v1/s/hall/t0 as user 'gw'" in found["detail"]
    assert "gateway/" not in found["detail"], "its status it may say"
    assert "ACL" in found["remedy"]


@pytest.mark.broker
def test_a_wrong_password_is_said_and_nothing_more_is_tried(
    check: Callable[..., tuple[int, Any]], hum: Callable[[float], Path]
) -> None:
    code, report = check("gateway", "nobody", "--source", str(hum(0.2)))
    assert code == 77
    assert [step["name"] for step in report["steps"]][-1] == "broker"


@pytest.mark.broker
def test_a_player_sees_whether_its_decoder_plays_the_stream_that_is_there(
    check: Callable[..., tuple[int, Any]],
    start: Start,
    site: RunningBroker,
    toy_codec: Path,
    hum: Callable[[float], Path],
) -> None:
    code, report = check("edge_player", "edge", "--out", "null")
    assert (code, step(report, "stream")["verdict"]) == (0, "note")
    assert "none called lobby" in step(report, "stream")["detail"]

    gateway = start(
        *("gateway", "run", "--source", str(hum(1.0)), "--loop", "--stream", "lobby", "--model", str(toy_codec)),
        *("--broker", site.url.replace("mqtt://", f"mqtt://gw:{PASSWORD}@")),
    )
    with Watcher(site.url.replace("mqtt://", f"mqtt://monitor:{PASSWORD}@")) as watcher:
        topic = TOPICS.manifest("lobby")
        watcher.wait_until(lambda: any(message.payload for message in watcher.on(topic)), "the manifest")
        code, report = check("edge_player", "edge", "--out", "null")
        assert (code, step(report, "stream")["verdict"]) == (0, "ok")
        code, report = check("edge_player", "edge", "--out", "null", toy=False)
    assert (code, step(report, "stream")["exit_code"]) == (76, 76)
    gateway.terminate()
    _, err = gateway.communicate(timeout=20)
    assert gateway.returncode == 0, f"a check disturbs no gateway: {err}"


def run_on_card(card: VirtualSoundCard, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        env=card.environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.audio
def test_the_test_tone_comes_out_of_the_loudspeaker(
    virtual_sound_card: VirtualSoundCard, mosquitto: RunningBroker, tmp_path: Path
) -> None:
    heard_file = tmp_path / "heard.raw"
    with heard_file.open("wb") as heard:
        recorder = subprocess.Popen(
            ["parec", f"--device={virtual_sound_card.monitor}", f"--rate={RATE_HZ}", "--channels=1"],
            env=virtual_sound_card.environ,
            stdin=subprocess.DEVNULL,
            stdout=heard,
        )
        try:
            answer = run_on_card(
                virtual_sound_card, "edge_player", "check", "--tone", "--json", "--broker", mosquitto.url
            )
        finally:
            recorder.terminate()
            recorder.wait(10.0)
    found = step(json.loads(answer.stdout), "sink")
    assert found["verdict"] == "ok", found
    sound = np.frombuffer(heard_file.read_bytes(), dtype="<i2").astype(np.float64)
    spectrum = np.abs(np.fft.rfft(sound))
    loudest_hz = float(np.fft.rfftfreq(len(sound), 1 / RATE_HZ)[int(np.argmax(spectrum))])
    assert loudest_hz == pytest.approx(440.0, abs=3.0)
    assert 0.8 <= np.count_nonzero(np.abs(sound) > 100) / RATE_HZ <= 1.2, "one second of it"


@pytest.mark.audio
def test_a_microphone_that_hears_nothing_is_called_muted(
    virtual_sound_card: VirtualSoundCard, mosquitto: RunningBroker
) -> None:
    answer = run_on_card(virtual_sound_card, "gateway", "check", "--source", "mic", "--json", "--broker", mosquitto.url)
    found = step(json.loads(answer.stdout), "source")
    assert found["verdict"] == "warning", found
    assert "silent: muted?" in found["detail"]
    assert "Traceback" not in answer.stderr
