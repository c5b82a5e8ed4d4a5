"""Settings that make no sense, to both ends: one sentence that names the key and where it came from, and 78."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.bad_input import NOBODY_LISTENS, launch, run

pytestmark = pytest.mark.slow

GATEWAY, PLAYER = "gateway", "edge_player"

# Which end, what is in its file, what the sentence holds.
FILES: dict[str, tuple[str, bytes, str]] = {
    "an unknown key": (
        GATEWAY,
        b'[source]\ntargit = "a.wav"\n',
        "unknown key 'source.targit'; the nearest known one is",
    ),
    "a key in the wrong section": (PLAYER, b"[stream]\nvolume = 3\n", "the nearest known one is 'playout.volume'"),
    "an unknown section": (PLAYER, b"[speaker]\nrate = 48000\n", "unknown key 'speaker"),
    "a section as a value": (GATEWAY, b'source = "a.wav"\n', "'source' is a section"),
    "a text for a number": (
        GATEWAY,
        b'[source]\nrate = "16000"\n',
        "'source.rate' must be a whole number, got '16000'",
    ),
    "a fraction for a number": (
        PLAYER,
        b"[playout]\nvolume = 0.5\n",
        "'playout.volume' must be a whole number, got 0.5",
    ),
    "a number for a switch": (PLAYER, b"[playout]\nmute = 1\n", "'playout.mute' must be true or false, got 1"),
    "a list for a text": (PLAYER, b'[sink]\nout = ["a.wav"]\n', "'sink.out' must be a text"),
    "a table for a text": (GATEWAY, b"[source.target]\nfile = 1\n", "source.target"),
    "not a number": (GATEWAY, b"[conditioning]\ngain_db = nan\n", "'conditioning.gain_db' must be a number, got nan"),
    "infinity": (PLAYER, b"[run]\nlimit_s = inf\n", "'run.limit_s' must be a number, got inf"),
    "out of range": (PLAYER, b"[playout]\nvolume = 101\n", "playout.volume is 101, expected 0 to 100"),
    "0 channels": (GATEWAY, b"[source]\nchannels = 0\n", "source.channels is 0, expected 1 to 64"),
    "a word that is no choice": (
        GATEWAY,
        b'[stream]\nlink = "mars"\n',
        "'stream.link' must be one of lan, wan, narrow",
    ),
    "a stream that is no id": (PLAYER, b'[stream]\nname = "The Lobby"\n', "The Lobby"),
    "a path with a zero byte": (GATEWAY, b'[run]\nstats_file = "a\\u0000b"\n', "'run.stats_file' must be a path"),
    "the home of nobody": (
        PLAYER,
        b'[run]\nstats_file = "~nobody-of-this-name/a"\n',
        "'run.stats_file' must be a path",
    ),
    "broken syntax": (PLAYER, b"[sink\nout = 3\n", "is not valid TOML"),
    "a key twice": (GATEWAY, b"[source]\nrate = 8000\nrate = 9000\n", "is not valid TOML"),
    "bytes that are no text": (PLAYER, b'[stream]\nname = "\xff\xfe"\n', "is not valid TOML"),
    "an old Windows file": (GATEWAY, "[source]\nrate = 8000\n".encode("utf-16"), "is not valid TOML"),
}

ENVIRONMENT: dict[str, tuple[str, dict[str, str], str]] = {
    "an unknown key": (GATEWAY, {"VOXWIRE_SOURCE__TARGIT": "a.wav"}, "VOXWIRE_SOURCE__TARGIT"),
    "a wrong type": (PLAYER, {"VOXWIRE_PLAYOUT__VOLUME": "loud"}, "VOXWIRE_PLAYOUT__VOLUME: 'playout.volume' must be"),
    "a password file that is not there": (
        GATEWAY,
        {"VOXWIRE_BROKER__USERNAME": "gw", "VOXWIRE_BROKER__PASSWORD_FILE": "/none"},
        "/none",
    ),
}

FLAGS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "a file that ends in nothing": (
        PLAYER,
        ("--out", "a.mp3"),
        "expected speaker, null, - or a file that ends in .wav",
    ),
    "a delay that is no number": (PLAYER, ("--delay", "soon"), "playout.delay is 'soon', expected auto or 0 to"),
    "channels from 0": (PLAYER, ("--output-channels", "0,1"), "expected numbers from 1"),
    "a broker that is no address": (PLAYER, ("--broker", "http://localhost"), "broker url must be mqtt://host:port"),
    "26 frames a packet": (GATEWAY, ("--frames-per-packet", "26"), "expected 1 to 25"),
    "a time of nothing": (GATEWAY, ("--for", "0s"), "source.limit_s is 0"),
}


@pytest.mark.parametrize("what", FILES)
def test_a_wrong_file_of_settings_is_one_sentence_and_78(tmp_path: Path, what: str) -> None:
    module, content, sentence = FILES[what]
    (tmp_path / "voxwire.toml").write_bytes(content)
    outcome = run(tmp_path, module, "run", "--config", tmp_path / "voxwire.toml", "--broker", NOBODY_LISTENS)
    outcome.assert_refused(78, sentence)


@pytest.mark.parametrize("module", [GATEWAY, PLAYER])
@pytest.mark.parametrize(("name", "sentence"), [("none.toml", "not found"), (".", "Is a directory")])
def test_settings_that_are_no_file_are_one_sentence_and_78(
    tmp_path: Path, module: str, name: str, sentence: str
) -> None:
    outcome = run(tmp_path, module, "run", "--config", tmp_path / name, "--broker", NOBODY_LISTENS)
    outcome.assert_refused(78, sentence)


@pytest.mark.parametrize("what", ENVIRONMENT)
def test_a_wrong_environment_is_one_sentence_and_78(tmp_path: Path, what: str) -> None:
    module, environ, sentence = ENVIRONMENT[what]
    with launch(tmp_path, module, "run", "--broker", NOBODY_LISTENS, environ=environ) as command:
        command.finish().assert_refused(78, sentence)


@pytest.mark.parametrize("what", FLAGS)
def test_a_flag_out_of_range_is_one_sentence_and_78(tmp_path: Path, what: str) -> None:
    module, flags, sentence = FLAGS[what]
    run(tmp_path, module, "run", "--broker", NOBODY_LISTENS, *flags).assert_refused(78, sentence)


@pytest.mark.parametrize(
    ("module", "flags"),
    [
        (GATEWAY, ("--for", "soon")),
        (GATEWAY, ("--rate", "fast")),
        (GATEWAY, ("--no-such-flag",)),
        (PLAYER, ("--volume", "loud")),
    ],
)
def test_a_flag_that_is_none_is_a_usage_error(tmp_path: Path, module: str, flags: tuple[str, ...]) -> None:
    outcome = run(tmp_path, module, "run", *flags)
    assert outcome.code == 2, outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.err.splitlines()[-1].split(": error: ")[1]
