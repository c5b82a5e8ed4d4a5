"""Settings of both commands: configuration files, and the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge_player.config import PlayerConfig
from gateway.config import GatewayConfig
from protocol.service import ConfigError, load_config
from protocol.service.settings import SettingKind, list_settings
from tests.fuzz.settings_cases import EnvironmentCases, TomlCases, environment_of
from tests.fuzz.target import Target

_SAMPLES = (
    b'[broker]\nurl = "mqtt://127.0.0.1:1883"\nkeepalive_s = 30\n\n[stream]\nname = "lobby"\nlayers = 8\n',
    b'[broker]\nurl = "mqtts://user@a,mqtts://b:8884"\ntls_min = "1.3"\n\n[run]\nid = "door-1"\n',
    b'[playout]\ndelay = "auto"\noffset_ms = -20\nvolume = 60\n\n[sink]\nout = "a.wav"\nchannels = "1,2"\n',
    b'[source]\ntarget = "mic"\nrate = 48000\n\n[stream]\nlink = "wan"\n',
)


def settings_targets(folder: Path) -> list[Target]:
    """Of the gateway and of the player; cases are written into `folder`."""
    return [*_of("gateway", GatewayConfig, folder), *_of("player", PlayerConfig, folder)]


def _of(name: str, cls: type[Any], folder: Path) -> list[Target]:
    settings: list[SettingKind] = list(list_settings(cls))
    path = folder / f"{name}.toml"

    def parse_file(case: bytes) -> None:
        path.write_bytes(case)
        assert isinstance(load_config(cls, path=path, environ={}, flags={}), cls)

    def parse_environment(case: bytes) -> None:
        assert isinstance(load_config(cls, path=None, environ=environment_of(case), flags={}), cls)

    # A file of settings has no limit of its own: what it says is quoted in what is said about it.
    refuses, peak_kb = (ConfigError,), 4096
    files, environments = TomlCases(settings, _SAMPLES), EnvironmentCases(settings)
    return [
        Target(f"{name}.toml", 15, 150, files, parse_file, refuses, peak_kb),
        Target(f"{name} environment", 5, 150, environments, parse_environment, refuses, peak_kb),
    ]
