"""Who follows docs/microphone.md hears themselves: its commands, word for word, in a room with a virtual card."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.room.ends import End
from benchmarks.room.listening import listen
from benchmarks.room.speech import speak, utterances
from benchmarks.room.virtual_room import RATE_HZ, VirtualRoom
from gateway.demo.broker import RunningBroker
from tests.test_documents import commands_of

pytestmark = [pytest.mark.audio, pytest.mark.broker, pytest.mark.slow]

BROKER_ON_THE_PAGE = "mqtt://localhost"


def test_the_commands_of_the_microphone_page_make_you_hear_yourself(
    repository: Path, room: VirtualRoom, mosquitto: RunningBroker, tmp_path: Path
) -> None:
    commands = commands_of((repository / "docs" / "microphone.md").read_text())

    def end(program: str, module: str) -> End:
        words = next(words[2:] for words in commands if words[:2] == [program, "run"])
        assert BROKER_ON_THE_PAGE in words
        words = [mosquitto.url if word == BROKER_ON_THE_PAGE else word for word in words]
        return End(module, words, folder=tmp_path, environ=room.environ)

    with end("edge-player", "edge_player") as player, end("gateway", "gateway") as gateway:
        player.wait_for("stream me: online")
        start_s = room.recorder.seconds
        pieces = utterances(RATE_HZ, count=1)
        assert room.say(speak(pieces, RATE_HZ), RATE_HZ).wait(60.0) == 0
        room.recorder.wait_for(1.5)
        (heard,) = listen(room.recorder, pieces, start_s=start_s, patience_s=1.5)
        gateway.finish()
        player.finish()
    assert heard.latency_s is not None, heard
    assert heard.latency_s < 0.5, "the page says: less than half a second"
