"""Settings: frozen dataclasses filled from defaults, a TOML file, the environment and flags, in rising precedence."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from protocol.service.coercion import coerce
from protocol.service.errors import ConfigError
from protocol.service.given import GivenSetting, Report, gather, refuse
from protocol.service.settings import (
    FILE_SUFFIX,
    REQUIRED,
    SettingKind,
    default_of,
    describe_kind,
    is_section,
    list_settings,
    variable_of,
)

T = TypeVar("T")


def load_config(cls: type[T], *, path: Path | None, environ: Mapping[str, str], flags: Mapping[str, Any]) -> T:
    """Build `cls`, a frozen dataclass whose fields may be dataclasses (sections) themselves.

    Precedence: flag > environment > file > default. `flags` maps dotted names (`"broker.url"`) to values, None meaning
    not given. The environment is read as `VOXWIRE_SECTION__KEY` (`VOXWIRE_KEY` at the top). In file and environment,
    a text setting `x` may be given as `x_file`, the path of a file that holds it (secrets). Raises ConfigError, which
    names the setting, where it came from and, for an unknown one, the nearest that exists.
    """
    config, _ = load_and_explain(cls, path=path, environ=environ, flags=flags, report=refuse)
    assert config is not None  # only a report that returns can leave it so
    return config


def load_and_explain(
    cls: type[T], *, path: Path | None, environ: Mapping[str, str], flags: Mapping[str, Any], report: Report
) -> tuple[T | None, dict[str, GivenSetting]]:
    """As `load_config`, and what was given by dotted name. Problems go to `report`; None where there was one."""
    known = {setting.name: setting for setting in list_settings(cls)}
    problems = 0

    def count(problem: ConfigError) -> None:
        nonlocal problems
        problems += 1
        report(problem)

    given = gather(known, path=path, environ=environ, flags=flags, report=count)
    config = _build(cls, "", known, given, count)
    return (None if problems else config), given


def _build(
    cls: type[T],
    prefix: str,
    known: Mapping[str, SettingKind],
    given: Mapping[str, GivenSetting],
    report: Report,
) -> T | None:
    """None where a problem was reported that leaves nothing to build from."""
    hints = typing.get_type_hints(cls)
    arguments: dict[str, Any] = {}
    whole = True
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        if not field.init:
            continue
        name = f"{prefix}{field.name}"
        kind = hints[field.name]
        try:
            if is_section(kind):
                if default_of(field) is REQUIRED or any(other.startswith(f"{name}.") for other in given):
                    arguments[field.name] = _build(kind, f"{name}.", known, given, report)
                    whole = whole and arguments[field.name] is not None
            elif name in given:
                arguments[field.name] = _value(known[name], given[name])
            elif f"{name}{FILE_SUFFIX}" in given and f"{field.name}{FILE_SUFFIX}" not in hints:
                arguments[field.name] = _secret(known[name], given[f"{name}{FILE_SUFFIX}"])
            elif default_of(field) is REQUIRED:
                raise ConfigError(
                    f"missing setting '{name}': give it as a flag, as {variable_of(name)} or in --config FILE"
                )
        except ConfigError as error:
            report(error)
            whole = False
    return _construct(cls, prefix, arguments, given, report) if whole else None


def _construct(
    cls: type[T], prefix: str, arguments: dict[str, Any], given: Mapping[str, GivenSetting], report: Report
) -> T | None:
    """The class's own checks, in its __post_init__."""
    where = f"[{prefix.rstrip('.')}] " if prefix else ""
    try:
        return cls(**arguments)
    except ConfigError as error:
        report(error)
    except (ValueError, TypeError) as error:
        report(ConfigError(f"wrong setting: {where}{error}"))
    except Exception as error:
        said = [setting for name, setting in given.items() if name.startswith(prefix)]
        if not hasattr(error, "exit_code") or all(setting.from_flag for setting in said):
            raise  # a bug of ours; or wrong usage, which has an exit code of its own
        report(ConfigError(f"wrong setting: {where}{error}"))
    return None


def _value(setting: SettingKind, given: GivenSetting) -> object:
    try:
        return coerce(given.value, setting.kind, from_text=given.from_text, folder=given.folder)
    except ValueError as error:
        wanted = f"{describe_kind(setting.kind)}, and what came is not shown" if setting.secret else str(error)
        raise ConfigError(f"{given.origin}: '{setting.name}' must be {wanted}") from None


def _secret(setting: SettingKind, given: GivenSetting) -> object:
    """The value in the file that `given` names."""
    name = f"{setting.name}{FILE_SUFFIX}"
    path = _value(SettingKind(name, Path, REQUIRED, secret=False), given)
    assert isinstance(path, Path)
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{given.origin}: '{name}' names {path}, which cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{given.origin}: '{name}' names {path}, which is no text in UTF-8") from error
    hidden = dataclasses.replace(setting, secret=True)  # what stands in a file of its own is not for the screen
    return _value(hidden, GivenSetting(text, str(path), from_text=True))
