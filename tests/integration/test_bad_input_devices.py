"""Sound cards that are not there, are taken, or refuse what is asked, at both ends: one sentence and 74.

PulseAudio and PortAudio are real. Busy cards and refused rates are what no virtual card can be brought to, so for these
the child's PortAudio is made to answer as a real one does.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import VirtualSoundCard
from tests.integration.bad_input import NOBODY_LISTENS, Outcome, launch

pytestmark = [pytest.mark.audio, pytest.mark.slow]

GATEWAY, PLAYER = "gateway", "edge_player"
ENDS = pytest.mark.parametrize("module", [GATEWAY, PLAYER])

BUSY = """
import sounddevice
def refuse(**options):
    raise sounddevice.PortAudioError("Error opening stream", -9985)
sounddevice.InputStream = sounddevice.OutputStream = refuse
"""
ONLY_44100 = """
import sounddevice
def check(samplerate=None, **options):
    if samplerate != 44100:
        raise sounddevice.PortAudioError("Invalid sample rate", -9997)
def refuse(**options):
    check(**options)
    raise AssertionError("another rate than the one that was asked for was tried")
sounddevice.InputStream = sounddevice.OutputStream = refuse
sounddevice.check_input_settings = sounddevice.check_output_settings = check
"""
NO_CARDS = "import sounddevice\nsounddevice.query_devices = lambda *wanted: []"
NO_LIBRARY = """
import sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
sys.meta_path.insert(0, Finder())
"""


def start_on(card: VirtualSoundCard, folder: Path, module: str, *more: str, prelude: str = "") -> Outcome:
    """A gateway of the microphone, or a player to the speaker; `--wait` is only for what may pass."""
    ends = {GATEWAY: ["--source", "mic"], PLAYER: ["--out", "speaker"]}
    arguments = ["run", "--broker", NOBODY_LISTENS, *ends[module], *more]
    with launch(folder, module, *arguments, environ=card.environ, prelude=prelude) as command:
        return command.finish()


def flag(module: str, name: str) -> str:
    return f"--{'input' if module == GATEWAY else 'output'}-{name}"


@ENDS
@pytest.mark.parametrize("wanted", ["4711", "😀"])
def test_a_card_that_is_not_there(
    virtual_sound_card: VirtualSoundCard, tmp_path: Path, module: str, wanted: str
) -> None:
    outcome = start_on(virtual_sound_card, tmp_path, module, flag(module, "device"), wanted)
    outcome.assert_refused(74, f"is called {wanted!r}: there are ")
    assert "default" in outcome.err  # what there is, by name


@ENDS
def test_a_name_that_several_cards_have(virtual_sound_card: VirtualSoundCard, tmp_path: Path, module: str) -> None:
    outcome = start_on(virtual_sound_card, tmp_path, module, flag(module, "device"), "al")  # default and ALSA
    outcome.assert_refused(74, "Several sound cards are called 'al': ")


@ENDS
def test_a_card_that_another_program_has(virtual_sound_card: VirtualSoundCard, tmp_path: Path, module: str) -> None:
    outcome = start_on(virtual_sound_card, tmp_path, module, prelude=BUSY)
    outcome.assert_refused(74, "is in use by another program: end that, or choose a shared one")


@ENDS
def test_a_rate_that_the_card_refuses(virtual_sound_card: VirtualSoundCard, tmp_path: Path, module: str) -> None:
    """No waiting makes a card take another rate, so --wait makes no difference."""
    rate = (flag(module, "rate"), "96000")
    outcome = start_on(virtual_sound_card, tmp_path, module, *rate, "--wait", prelude=ONLY_44100)
    outcome.assert_refused(74, "refuses 96000 Hz: it takes 44100 Hz")


@ENDS
def test_a_channel_that_the_card_lacks(virtual_sound_card: VirtualSoundCard, tmp_path: Path, module: str) -> None:
    numbers = {GATEWAY: ("--input-channel", "64"), PLAYER: ("--output-channels", "1,64")}
    outcome = start_on(virtual_sound_card, tmp_path, module, *numbers[module])
    outcome.assert_refused(74, "has no channel 64: choose from 1 to ")


@ENDS
def test_a_shared_card_that_is_wanted_for_us_alone(
    virtual_sound_card: VirtualSoundCard, tmp_path: Path, module: str
) -> None:
    outcome = start_on(virtual_sound_card, tmp_path, module, "--exclusive", "--wait")
    outcome.assert_refused(74, "is shared by way of a server or mixer and cannot be had exclusively")


@ENDS
def test_a_machine_without_a_card(virtual_sound_card: VirtualSoundCard, tmp_path: Path, module: str) -> None:
    outcome = start_on(virtual_sound_card, tmp_path, module, prelude=NO_CARDS)
    outcome.assert_refused(74, "There is no sound card that can")


@ENDS
def test_a_machine_without_portaudio(virtual_sound_card: VirtualSoundCard, tmp_path: Path, module: str) -> None:
    """Which no waiting installs."""
    outcome = start_on(virtual_sound_card, tmp_path, module, "--wait", prelude=NO_LIBRARY)
    outcome.assert_refused(74, "libportaudio2")


@ENDS
def test_a_sound_server_that_has_gone(virtual_sound_card: VirtualSoundCard, tmp_path: Path, module: str) -> None:
    environ = {**virtual_sound_card.environ, "PULSE_SERVER": f"unix:{tmp_path}/nobody"}
    ends = {GATEWAY: ["--source", "mic"], PLAYER: ["--out", "speaker"]}
    with launch(tmp_path, module, "run", "--broker", NOBODY_LISTENS, *ends[module], environ=environ) as command:
        command.finish().assert_refused(74, "sound")


@ENDS
def test_devices_of_a_machine_without_portaudio(
    virtual_sound_card: VirtualSoundCard, tmp_path: Path, module: str
) -> None:
    with launch(tmp_path, module, "devices", environ=virtual_sound_card.environ, prelude=NO_LIBRARY) as command:
        command.finish().assert_refused(74, "libportaudio2")
