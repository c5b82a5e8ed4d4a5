from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_player.config import RECEIVE_MAXIMUM, PlayerConfig
from gateway import cli
from gateway.config import GatewayConfig
from gateway.plan.page import PLAYER_RECEIVE_MAXIMUM
from protocol.service import load_config

THIN = ["plan", "--link", "8kbps", "--rtt", "600ms"]


def test_a_plan_names_every_number_and_what_it_leads_to(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*THIN, "--mtu", "233", "--seconds", "8", "--budget", "100MB"]) == 0
    text = capsys.readouterr().out
    for name in (
        "frames a packet", "layers", "QoS", "window", "keep-alive", "playout delay", "a player's hop", "mouth to ear",
        "an hour", "in 30 days", "on the air", "h of speech", "[link]",
    ):  # fmt: skip
        assert name in text


def test_the_settings_it_prints_are_those_it_planned(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main([*THIN, "--layers", "4", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    path = tmp_path / "gateway.toml"
    path.write_text(plan["settings"]["gateway"])
    config = load_config(GatewayConfig, path=path, environ={}, flags={})
    choice = {name: value for name, value in plan["choice"].items() if name != "retransmissions"}
    assert config.stream.layers == choice.pop("layers") == 4
    assert {name: getattr(config.profile, name) for name in choice} == choice
    path.write_text(plan["settings"]["edge-player"])
    player = load_config(PlayerConfig, path=path, environ={}, flags={}).broker
    assert player.keepalive == choice["keepalive_s"]
    assert (player.connect_timeout_s, player.stall_timeout_s) == (
        config.broker.connect_timeout_s,
        config.broker.stall_timeout_s,
    )


def test_a_thin_link_gets_the_time_that_a_handshake_takes_on_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "gateway.toml"
    for more, least_s, most_s in (([], 3.0, 8.0), (["--tls"], 8.0, 30.0)):
        assert cli.main([*THIN, *more, "--json"]) == 0
        path.write_text(json.loads(capsys.readouterr().out)["settings"]["gateway"])
        assert least_s <= load_config(GatewayConfig, path=path, environ={}, flags={}).broker.connect_timeout_s <= most_s


def test_json_and_text_say_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*THIN, "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert cli.main(THIN) == 0
    text = capsys.readouterr().out
    assert plan["ok"] is True
    assert f"{plan['expected']['both_kbps']:.4g} kbit/s" in text
    assert f"{plan['choice']['playout_delay_ms']} ms" in text
    assert plan["expected"]["bytes_per_hour"] == pytest.approx(plan["expected"]["both_kbps"] * 450_000, rel=1e-3)


def test_a_plan_that_cannot_be_met_has_an_exit_code_a_sentence_and_an_object(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["plan", "--link", "2.4kbps", "--rtt", "1s", "--layers", "16"]
    assert cli.main(arguments) == 78
    assert "This plan cannot be met" in capsys.readouterr().err
    assert cli.main([*arguments, "--json"]) == 78
    answer = json.loads(capsys.readouterr().out)
    assert (answer["ok"], answer["given_up"]) == (False, "fewer layers")
    assert answer["nearest"]["choice"]["layers"] < 16
    assert answer["needed_kbps"] > 2.4


def test_what_a_file_says_holds_in_the_plan_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text('[broker]\nurl = "mqtts://b"\n[stream]\nname = "a-long-name"\nlayers = 8\n')
    assert cli.main([*THIN, "--config", str(path), "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["choice"]["layers"], plan["link"]["tls"]) == (8, True)


@pytest.mark.parametrize("arguments", [["--link", "8"], ["--link", "8kbps", "--rtt", "soon"], ["--rtt", "1s"]])
def test_a_link_that_cannot_be_read_is_wrong_usage(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["plan", *arguments])
    assert caught.value.code == 2


def test_a_wish_out_of_range_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*THIN, "--mtu", "50"]) == 78
    assert "--mtu is 50, expected 100 to 65535 bytes" in capsys.readouterr().err


def test_the_players_own_window_is_known_here() -> None:
    assert PLAYER_RECEIVE_MAXIMUM == RECEIVE_MAXIMUM
