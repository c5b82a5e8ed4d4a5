"""Settings are checked when they are made."""

from __future__ import annotations

from typing import Literal

import pytest

from edge_player.config import PlayerConfig, PlayoutConfig, SinkConfig
from protocol.service import ConfigError, load_config


def test_flags_reach_their_settings() -> None:
    flags = {"stream.name": "hall", "playout.delay": "400", "run.limit_s": 10.0, "sink.out": "null"}
    config = load_config(PlayerConfig, path=None, environ={}, flags=flags)
    assert config.stream.name == "hall"
    assert config.playout.delay_ms == 400
    assert config.run.limit_s == 10.0


def test_the_environment_reaches_its_settings() -> None:
    config = load_config(PlayerConfig, path=None, environ={"VOXWIRE_STREAM__LAYERS": "4"}, flags={})
    assert config.stream.layers == 4


def test_layers_are_a_number_or_left_to_the_link() -> None:
    wanted = {None: None, "4": 4, "auto": None}
    for text, first in wanted.items():
        config = load_config(PlayerConfig, path=None, environ={}, flags={"stream.layers": text})
        assert config.stream.first_layers == first
    assert load_config(PlayerConfig, path=None, environ={}, flags={"stream.layers": "auto"}).stream.layers == "auto"


def test_the_delay_is_the_streams_own_by_default() -> None:
    assert PlayoutConfig().delay_ms is None


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("playout.delay", "soon"),
        ("sink.out", "speakers"),
        ("stream.layers", 0),
        ("stream.layers", "65"),
        ("stream.layers", "all"),
        ("run.limit_s", -1.0),
        ("decoder.provider", "tpu"),
        ("decoder.frames_per_step", 0),
        ("decoder.frames_per_step", 26),
        ("run.metrics_s", -5.0),
        ("run.stats_every_s", -1.0),
        ("link.connections", 0),
        ("link.connections", 4),
    ],
)
def test_a_wrong_setting_is_named(flag: str, value: object) -> None:
    with pytest.raises(ConfigError, match=flag.split(".")[1]):
        load_config(PlayerConfig, path=None, environ={}, flags={flag: value})


@pytest.mark.parametrize(("length", "connections", "fits"), [(62, 3, True), (63, 1, True), (63, 2, False)])
def test_a_client_id_leaves_room_for_the_number_of_a_connection(length: int, connections: int, fits: bool) -> None:
    flags = {"broker.client_id": "x" * length, "link.connections": connections}
    if fits:
        assert load_config(PlayerConfig, path=None, environ={}, flags=flags).link.connections == connections
    else:
        with pytest.raises(ConfigError, match=r"client_id has 63 bytes, expected 62 at most"):
            load_config(PlayerConfig, path=None, environ={}, flags=flags)


def test_a_file_ends_in_wav() -> None:
    assert SinkConfig("x.WAV").out == "x.WAV"


@pytest.mark.parametrize(
    ("adapt", "out", "adapts"),
    [
        ("auto", "speaker", True),
        ("auto", "null", False),
        ("auto", "x.wav", False),
        ("on", "null", True),
        ("off", "speaker", False),
    ],
)
def test_the_delay_follows_the_link_on_a_sound_card_unless_told_otherwise(
    adapt: Literal["auto", "on", "off"], out: str, adapts: bool
) -> None:
    config = PlayerConfig(playout=PlayoutConfig(adapt=adapt), sink=SinkConfig(out=out))
    assert config.adapts == adapts


def test_what_adapt_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="expected auto, on or off"):
        PlayoutConfig(adapt="maybe")  # type: ignore[arg-type]
