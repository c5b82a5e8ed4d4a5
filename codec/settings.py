"""Settings of the codec command: flag > environment > file > default.

The names are those of both ends' settings (section `codec`), the rules too; a separate reader, because this package
needs nothing of the service layer.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import ClassVar, get_args

from codec.errors import EXIT_CONFIGURATION, CodecError, DeviceError
from codec.load import Engine, device_name

SECTION = "codec"
ENVIRONMENT_PREFIX = "VOXWIRE_CODEC__"

OLDER_NAMES = {"provider": "device"}
"""Settings that were called otherwise, and still may be."""


class SettingsError(CodecError):
    """A setting that is unknown or impossible, from a file or the environment."""

    exit_code: ClassVar[int] = EXIT_CONFIGURATION


@dataclass(frozen=True, slots=True)
class CodecSettings:
    """Which codec, and what runs it. Raises SettingsError.

    model: a file, a folder, or a repository "owner/name"; None: the packaged one. device: auto, cpu, cuda, cuda:1.
    threads None: one for ONNX, and as many for torch as it finds.
    """

    codec: str | None = None
    model: Path | None = None
    device: str = "auto"
    engine: Engine = "auto"
    threads: int | None = None

    def __post_init__(self) -> None:
        try:
            device_name(self.device)
        except DeviceError as error:
            raise SettingsError(str(error)) from error
        if self.engine not in get_args(Engine):
            raise SettingsError(f"engine is auto, onnx or torch, not {self.engine!r}")
        if self.threads is not None and self.threads < 1:
            raise SettingsError(f"threads is 1 or more, not {self.threads}")

    @property
    def provider(self) -> str:
        """The older name of `device`."""
        return self.device


def load_settings(
    path: Path | None, environ: Mapping[str, str], flags: Mapping[str, str | int | Path | None]
) -> CodecSettings:
    """Merge the three sources; a flag that is None was not given. Raises SettingsError."""
    values: dict[str, object] = {} if path is None else _read_file(path)
    for name, text in environ.items():
        if name.startswith(ENVIRONMENT_PREFIX):
            key = name.removeprefix(ENVIRONMENT_PREFIX).lower()
            values[_known(key, f"the environment variable {name}")] = text
    values |= {OLDER_NAMES.get(key, key): value for key, value in flags.items() if value is not None}
    settings = CodecSettings()
    for key, value in values.items():
        settings = replace(settings, **{key: _convert(key, value)})  # type: ignore[arg-type]  # converted by its key
    return settings


def _read_file(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except FileNotFoundError as error:
        raise SettingsError(f"File not found at {path}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(f"{path} is not a readable TOML file: {error}") from error
    for section in document:
        if section != SECTION:
            raise SettingsError(f"{path} has an unknown section [{section}] — the codec command reads [{SECTION}]")
    table = document.get(SECTION, {})
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: {SECTION} is a table of settings, not a value")
    return {_known(key, str(path)): value for key, value in table.items()}


def _known(key: str, where: str) -> str:
    key = OLDER_NAMES.get(key, key)
    names = [field.name for field in fields(CodecSettings)]
    if key not in names:
        near = difflib.get_close_matches(key, names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}"
        raise SettingsError(f"Unknown setting {key!r} in {where} — {hint}")
    return key


def _convert(key: str, value: object) -> object:
    if key == "threads":
        if isinstance(value, str) and value.isascii() and value.isdigit():
            return int(value)
        if type(value) is int:
            return value
        raise SettingsError(f"threads is a whole number, not {value!r}")
    if key == "model" and isinstance(value, str | Path):
        return Path(value)
    if isinstance(value, str):
        return value
    raise SettingsError(f"{key} is a text, not {value!r}")
