"""Ctrl-C and SIGTERM in every state of both ends.

The first ends the command in order, with 0, wherever it is; the second ends it at once. Either way nothing is left: no
process, no temporary file, no WAV file with a wrong header, no status that says online.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import soundfile

from gateway.demo.broker import RunningBroker
from protocol.status import StatusMessage, decode_status
from tests.integration.bad_input import NOBODY_LISTENS, Command, Outcome, launch
from tests.integration.nano_path import CLIP, start_mosquitto
from tests.integration.watcher import TOPICS, Watcher

pytestmark = [pytest.mark.broker, pytest.mark.slow]

GATEWAY, PLAYER = "gateway", "edge_player"
BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
PROMPT_S = 4.0
"""From the signal to the end; what has to be waited for, a broker's last answer say, takes milliseconds here."""

NO_SUCH_CARD = "a card that nobody has"


@dataclass(frozen=True, slots=True)
class Site:
    """A broker, who watches it, and a stream called `talk` that goes on for ever."""

    broker: RunningBroker
    watcher: Watcher

    def statuses(self, topic: str) -> list[StatusMessage]:
        return [decode_status(message.payload) for message in self.watcher.on(topic) if message.payload]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    arguments = ["run", "--source", CLIP, "--loop", "--stream", "talk", "--link", "lan", "--id", "talker"]
    with (
        start_mosquitto(folder) as broker,
        Watcher(broker.url) as watcher,
        launch(folder, GATEWAY, *arguments, "--broker", broker.url),
    ):
        watcher.wait_for_count(TOPICS.tokens("talk"), 3)
        yield Site(broker, watcher)


def stop(command: Command, *numbers: signal.Signals) -> Outcome:
    """Send the signals and see that the command ends soon."""
    begun = time.monotonic()
    for number in numbers:
        command.send(number)
    outcome = command.finish()
    assert time.monotonic() - begun < PROMPT_S, outcome.err
    return outcome


# --- before anything is connected


@BOTH
@pytest.mark.parametrize("module", [GATEWAY, PLAYER])
def test_while_modules_are_imported(tmp_path: Path, module: str, number: signal.Signals) -> None:
    """There is nothing to end in order: the signal itself is the end."""
    arguments = ["run", "--broker", NOBODY_LISTENS, "--wait"]
    with launch(tmp_path, module, *arguments, options=("-X", "importtime")) as command:
        numpy = re.compile(r"\|\s+numpy$", re.MULTILINE)  # in the middle of what ours import
        command.wait_for(lambda: numpy.search(command.err) is not None, "numpy")
        outcome = stop(command, number)
    assert outcome.code == -number
    assert "Traceback" not in outcome.err


@BOTH
@pytest.mark.parametrize("module", [GATEWAY, PLAYER])
def test_while_the_model_is_loaded(tmp_path: Path, module: str, number: signal.Signals) -> None:
    loading = tmp_path / "loading"
    prelude = (
        "import pathlib, time, codec.load\n"
        "load = codec.load._load_half\n"
        "def load_slowly(*arguments):\n"
        f"    pathlib.Path({str(loading)!r}).touch()\n"
        "    time.sleep(0.5)\n"
        "    return load(*arguments)\n"
        "codec.load._load_half = load_slowly\n"
    )
    ends = {GATEWAY: ["--source", CLIP], PLAYER: ["--out", tmp_path / "a.wav"]}
    arguments = ["run", "--broker", NOBODY_LISTENS, *ends[module]]
    with launch(tmp_path, module, *arguments, prelude=prelude) as command:
        command.wait_for(loading.exists, "loading")
        stop(command, number).assert_fine()
    assert not (tmp_path / "a.wav").exists()


@contextmanager
def silent_broker() -> Iterator[tuple[str, Callable[[], bool]]]:
    """Takes connections and never says a word; its address, and whether somebody has come."""
    taken = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)

        def somebody_came() -> bool:
            try:
                taken.append(listener.accept()[0])
            except BlockingIOError:
                return bool(taken)
            return True

        yield f"mqtt://127.0.0.1:{listener.getsockname()[1]}", somebody_came
        for connection in taken:
            connection.close()


@BOTH
@pytest.mark.parametrize("module", [GATEWAY, PLAYER])
def test_while_the_broker_is_waited_for(tmp_path: Path, module: str, number: signal.Signals) -> None:
    ends = {GATEWAY: ["--source", CLIP], PLAYER: ["--out", tmp_path / "a.wav"]}
    with launch(tmp_path, module, "run", "--broker", NOBODY_LISTENS, "--wait", *ends[module]) as command:
        command.wait_for_log("trying again")
        stop(command, number).assert_fine()
    assert not (tmp_path / "a.wav").exists()


@BOTH
@pytest.mark.parametrize("module", [GATEWAY, PLAYER])
def test_while_the_broker_does_not_answer(tmp_path: Path, module: str, number: signal.Signals) -> None:
    ends: dict[str, list[object]] = {GATEWAY: ["--source", CLIP], PLAYER: ["--out", "null"]}
    with (
        silent_broker() as (url, somebody_came),
        launch(tmp_path, module, "run", "--broker", url, "--wait", *ends[module]) as command,
    ):
        command.wait_for(somebody_came, "a connection")
        stop(command, number).assert_fine()


@BOTH
@pytest.mark.audio
@pytest.mark.parametrize("module", [GATEWAY, PLAYER])
def test_while_the_sound_card_is_waited_for(tmp_path: Path, site: Site, module: str, number: signal.Signals) -> None:
    ends = {
        GATEWAY: ["--source", "mic", "--input-device", NO_SUCH_CARD],
        PLAYER: ["--out", "speaker", "--output-device", NO_SUCH_CARD],
    }
    arguments = ["run", "--broker", site.broker.url, "--stream", "mine", "--id", "waiter", "--wait", *ends[module]]
    with launch(tmp_path, module, *arguments) as command:
        command.wait_for_log("waiting for it")
        stop(command, number).assert_fine()


# --- connected


GATEWAY_STATES: dict[str, list[str]] = {
    "streaming": ["--source", str(CLIP), "--loop"],
    "before the start of the stream": ["--source", str(CLIP), "--start-delay", "60s"],
    "waiting for sound on standard input": ["--source", "-"],
}


@contextmanager
def quiet_pipe() -> Iterator[int]:
    """A pipe whose writer is there and writes nothing."""
    reader, writer = os.pipe()
    try:
        yield reader
    finally:
        os.close(reader)
        os.close(writer)


@BOTH
@pytest.mark.parametrize("state", GATEWAY_STATES)
def test_at_a_gateway_that_is_connected(tmp_path: Path, site: Site, state: str, number: signal.Signals) -> None:
    name = f"gw-{list(GATEWAY_STATES).index(state)}-{number.name.lower()}"
    stats = tmp_path / "stats.json"
    arguments = ["run", "--broker", site.broker.url, "--stream", name, "--id", name, "--link", "lan"]
    arguments += ["--stats-file", str(stats), *GATEWAY_STATES[state]]
    with quiet_pipe() as pipe, launch(tmp_path, GATEWAY, *arguments, stdin=pipe) as command:
        site.watcher.wait_for_count(TOPICS.manifest(name), 1)
        if state == "streaming":
            site.watcher.wait_for_count(TOPICS.tokens(name), 3)
        stop(command, number).assert_fine()
    site.watcher.wait_for_status(TOPICS.gateway_status(name), lambda status: status.state == "offline", "offline")
    assert site.statuses(TOPICS.gateway_status(name))[-1].reason == "stopped"
    site.watcher.wait_until(
        lambda: site.watcher.on(TOPICS.manifest(name))[-1].payload == b"", "the manifest taken away"
    )
    assert stats.exists()
    assert list(tmp_path.glob("*.part")) == []


@BOTH
@pytest.mark.parametrize("stream", ["talk", "nobody"], ids=["streaming", "waiting for the stream"])
def test_at_a_player_that_is_connected(tmp_path: Path, site: Site, stream: str, number: signal.Signals) -> None:
    name = f"p-{stream}-{number.name.lower()}"
    wav = tmp_path / "a.wav"
    arguments = ["run", "--broker", site.broker.url, "--stream", stream, "--id", name, "--out", wav]
    with launch(tmp_path, PLAYER, *arguments, "--stats-file", tmp_path / "stats.json") as command:
        status = TOPICS.edge_status(name)
        site.watcher.wait_for_count(status, 1)
        if stream == "talk":
            command.wait_for(lambda: wav.stat().st_size > 16000, "half a second of sound")
        stop(command, number).assert_fine()
    site.watcher.wait_for_status(status, lambda message: message.state == "offline", "offline")
    assert site.statuses(status)[-1].reason == "stopped"
    if stream == "talk":
        assert wav.stat().st_size == 44 + 2 * soundfile.info(wav).frames
    else:
        assert not wav.exists()
    assert (tmp_path / "stats.json").exists()
    assert list(tmp_path.glob("*.part")) == []


# --- shutting down


@contextmanager
def frozen(broker: RunningBroker) -> Iterator[None]:
    """A broker that holds every connection and answers nothing: what a shutdown waits longest for."""
    broker.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        broker.process.send_signal(signal.SIGCONT)


@BOTH
@pytest.mark.parametrize("module", [GATEWAY, PLAYER])
def test_twice_ends_a_shutdown_that_waits_at_once(
    tmp_path: Path, mosquitto: RunningBroker, watcher: Watcher, module: str, number: signal.Signals
) -> None:
    name = f"{module.replace('_', '-')}-twice"
    wav = tmp_path / "a.wav"
    gateway = ["run", "--source", CLIP, "--loop", "--broker", mosquitto.url, "--stream", "twice", "--link", "lan"]
    player = ["run", "--broker", mosquitto.url, "--stream", "twice", "--out", wav]
    with launch(tmp_path, GATEWAY, *gateway, "--id", "gateway-twice") as sender:
        watcher.wait_for_count(TOPICS.tokens("twice"), 3)
        with launch(tmp_path, PLAYER, *player, "--id", "edge-player-twice") as receiver:
            receiver.wait_for(lambda: wav.exists() and wav.stat().st_size > 44 + 2 * 16000, "a second of sound")
            command = sender if module == GATEWAY else receiver
            with frozen(mosquitto):
                command.send(number)
                time.sleep(0.3)  # in the middle of the shutdown: it waits for the broker for seconds
                assert command.process.poll() is None, command.err
                outcome = stop(command, number)
            assert outcome.code == -number
            outcome.assert_tidy()
            status = TOPICS.gateway_status(name) if module == GATEWAY else TOPICS.edge_status(name)
            # The will, or our own last word where it had gone out already.
            watcher.wait_for_status(status, lambda message: message.state == "offline", "offline")
            if module == PLAYER:
                assert soundfile.info(wav).duration >= 1.0  # the header is at most a second old


def test_a_broker_that_is_frozen_holds_a_shutdown_up_for_seconds_only(
    tmp_path: Path, mosquitto: RunningBroker, watcher: Watcher
) -> None:
    arguments = ["run", "--source", CLIP, "--loop", "--broker", mosquitto.url, "--stream", "held", "--link", "lan"]
    with launch(tmp_path, GATEWAY, *arguments) as gateway:
        watcher.wait_for_count(TOPICS.tokens("held"), 3)
        with frozen(mosquitto):
            gateway.send(signal.SIGTERM)
            outcome = gateway.finish(timeout_s=15.0)
    outcome.assert_fine()
    assert outcome.warnings("not everything reached the broker")


@BOTH
def test_a_demo_that_is_stopped_twice_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "demo"
    with launch(tmp_path, GATEWAY, "demo", "--source", CLIP, "--out", folder) as demo:
        log = folder / "gateway.log"
        demo.wait_for(lambda: log.exists() and "stream demo" in log.read_text(errors="replace"), "the stream")
        demo.send(number)
        time.sleep(0.02)
        demo.send(number)
        demo.process.wait(20.0)
        deadline = time.monotonic() + 15.0  # its children are told by the kernel, and end in order
        while demo.descendants() and time.monotonic() < deadline:
            time.sleep(0.05)
        outcome = demo.finish(leftovers=True)  # who is killed cannot tidy up
    assert outcome.code in (-number, 1)
    assert "Traceback" not in outcome.err
