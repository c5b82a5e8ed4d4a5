from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.config import CodecConfig, GatewayConfig, LinkConfig, SourceConfig, StreamConfig
from protocol.errors import ProtocolError
from protocol.service import ConfigError, load_config


def test_the_link_profile_sets_what_is_not_set_outright() -> None:
    profile = StreamConfig(link="lan", frames_per_packet=2).profile
    assert (profile.frames_per_packet, profile.qos) == (2, 0)
    assert StreamConfig(link="wan").profile.frames_per_packet == 5
    assert StreamConfig(link="wan", qos=0).profile.qos == 0


@pytest.mark.parametrize(
    "values",
    [
        {"frames_per_packet": 0},
        {"frames_per_packet": 26},
        {"qos": 2},
        {"layers": 0},
        {"start_delay_s": -1.0},
        {"silence": "maybe"},
        {"silence": True},
    ],
)
def test_a_stream_out_of_range_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        StreamConfig(**values)


def test_a_link_of_ones_own_goes_over_the_profile_that_is_named() -> None:
    config = GatewayConfig(
        stream=StreamConfig(link="narrow", frames_per_packet=25), link=LinkConfig(window=2, playout_delay_ms=4000)
    )
    profile = config.profile
    assert (profile.frames_per_packet, profile.qos, profile.window, profile.keepalive_s) == (25, 1, 2, 30)
    assert (profile.playout_delay_ms, profile.max_age_ms) == (4000, 4000 + 8000 - 3000)
    assert GatewayConfig(link=LinkConfig(max_age_ms=9000, keepalive_s=60)).profile.max_age_ms == 9000
    assert GatewayConfig().profile == StreamConfig().profile


@pytest.mark.parametrize(
    "values", [{"window": 0}, {"keepalive_s": 65536}, {"playout_delay_ms": 60_001}, {"max_age_ms": 0}]
)
def test_a_link_out_of_range_is_refused(values: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=rf"link\.{next(iter(values))} is .*, expected"):
        LinkConfig(**values)


def test_a_link_that_contradicts_itself_is_a_configuration_error(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text("[link]\nplayout_delay_ms = 2000\nmax_age_ms = 1500\n")
    with pytest.raises(ConfigError, match=r"\[link\] over .*'wan': max_age_ms: expected more than the playout delay"):
        load_config(GatewayConfig, path=path, environ={}, flags={})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"tiers": (4, 4, 4, 2, 2)}, "tiers is 4,4,4,2,2, expected 1 to 4 tiers"),
        ({"tiers": ()}, "tiers is empty, expected 1 to 4 tiers"),
        ({"tiers": (0, 16)}, "tiers is 0,16, expected 1 layer or more on each tier"),
        ({"tiers": (20, -4)}, "expected 1 layer or more on each tier"),
        ({"tiers": (4, 4), "layers": 9}, "tiers is 4,4, which comes to 8 layers, expected 9"),
        ({"upper_qos": 2}, "upper_qos is 2, expected 0 or 1"),
        ({"upper_qos": 1, "link": "lan"}, "the base tier goes at QoS 0"),
        ({"upper_qos": 1, "qos": 0}, "the base tier goes at QoS 0"),
    ],
)
def test_tiers_that_make_no_sense_are_refused_with_what_was_expected(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        StreamConfig(**values)


def test_the_base_may_be_acknowledged_and_the_rest_not() -> None:
    config = StreamConfig(tiers=(4, 12), upper_qos=0)
    assert [config.qos_of(tier) for tier in (0, 1)] == [1, 0]
    assert [StreamConfig(tiers=(4, 12), qos=0).qos_of(tier) for tier in (0, 1)] == [0, 0]


@pytest.mark.parametrize("text", ["4,12", " 4, 12"])
def test_tiers_are_numbers_with_commas_on_the_command_line_and_a_list_in_a_file(text: str, tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text("[stream]\ntiers = [4, 12]\n")
    by_flag = load_config(GatewayConfig, path=None, environ={}, flags={"stream.tiers": text})
    by_file = load_config(GatewayConfig, path=path, environ={}, flags={})
    assert by_flag.stream.tiers == by_file.stream.tiers == (4, 12)


def test_a_tier_that_is_no_number_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"stream\.tiers.*whole number, got 'x'"):
        load_config(GatewayConfig, path=None, environ={}, flags={"stream.tiers": "4,x"})


@pytest.mark.parametrize("values", [{"rate": 0}, {"channels": 0}, {"limit_s": 0.0}])
def test_a_source_out_of_range_is_refused(values: dict[str, int | float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        SourceConfig(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("device", ["cpu", "cuda", "cuda:1", "auto"])
def test_a_device_is_named_as_torch_names_it(device: str) -> None:
    assert CodecConfig(device=device).device == device


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "CPU", ""])
def test_a_device_that_nobody_has_is_refused(device: str) -> None:
    with pytest.raises(ValueError, match="expected auto, cpu, cuda or cuda:1"):
        CodecConfig(device=device)


def test_the_name_of_a_repository_stays_what_it_is_and_a_path_belongs_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    for model, expected in [("Qwen/Qwen3-TTS-Tokenizer-12Hz",) * 2, ("exported", str(tmp_path / "exported"))]:
        path.write_text(f'[codec]\nmodel = "{model}"\n')
        assert load_config(GatewayConfig, path=path, environ={}, flags={}).codec.model == expected


def test_a_stream_id_that_may_not_stand_in_a_topic_is_refused() -> None:
    with pytest.raises(ProtocolError):
        StreamConfig(name="a/b")


def test_a_file_is_merged_under_environment_and_flags(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text('[source]\ntarget = "talk.wav"\n[stream]\nname = "file"\nlink = "lan"\n[codec]\nthreads = 2\n')
    environ = {"VOXWIRE_STREAM__NAME": "environment", "VOXWIRE_STREAM__TITLE": "News"}
    config = load_config(GatewayConfig, path=path, environ=environ, flags={"stream.title": "Flag", "source.loop": None})
    assert config.source.target == "talk.wav"
    assert (config.stream.name, config.stream.title, config.stream.link) == ("environment", "Flag", "lan")
    assert config.codec.threads == 2


def test_a_wrong_range_in_a_file_is_a_configuration_error(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text("[stream]\nframes_per_packet = 99\n")
    with pytest.raises(ConfigError, match="frames_per_packet is 99, expected 1 to 25"):
        load_config(GatewayConfig, path=path, environ={}, flags={})
