"""Settings: frozen dataclasses filled from defaults, a TOML file, the environment and flags, in rising precedence."""

from __future__ import annotations

import dataclasses
import difflib
import logging
import tomllib
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from protocol.service.coercion import coerce
from protocol.service.errors import ConfigError

ENVIRONMENT_PREFIX = "VOXWIRE_"
SECTION_SEPARATOR = "__"
FILE_SUFFIX = "_file"

T = TypeVar("T")
logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class _Setting:
    """One value as it was given, and where, for error texts."""

    value: object
    origin: str
    from_text: bool  # environment and flags carry text; TOML carries types, which are then taken strictly
    folder: Path | None = None  # relative paths in a file mean: relative to that file


def load_config(cls: type[T], *, path: Path | None, environ: Mapping[str, str], flags: Mapping[str, Any]) -> T:
    """Build `cls`, a frozen dataclass whose fields may be dataclasses (sections) themselves.

    Precedence: flag > environment > file > default. `flags` maps dotted names (`"broker.url"`) to values, None meaning
    not given. The environment is read as `VOXWIRE_SECTION__KEY` (`VOXWIRE_KEY` at the top). In file and environment,
    a text setting `x` may be given as `x_file`, the path of a file that holds it (secrets). Raises ConfigError, which
    names the setting, where it came from and, for an unknown one, the nearest that exists.
    """
    known = dict(_leaves(cls))
    settings: dict[str, _Setting] = {}
    if path is not None:
        settings.update(_settings_from_file(path, cls, known))
    _merge(settings, _settings_from_environment(environ, known))
    _merge(settings, _settings_from_flags(flags, known))
    return _build(cls, "", settings)


def _merge(settings: dict[str, _Setting], higher: dict[str, _Setting]) -> None:
    """Let `higher` win; a setting and its `_file` twin are one and the same, or a password would outlive its file."""
    for name in higher:
        twin = name.removesuffix(FILE_SUFFIX) if name.endswith(FILE_SUFFIX) else name + FILE_SUFFIX
        if twin not in higher:
            settings.pop(twin, None)
    settings.update(higher)


def _leaves(cls: type[Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted name and type of every setting below `cls`."""
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        if not field.init:
            continue
        kind = hints[field.name]
        if _is_section(kind):
            yield from _leaves(kind, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", kind


def _is_section(kind: object) -> bool:
    return isinstance(kind, type) and dataclasses.is_dataclass(kind)


def _settings_from_file(path: Path, cls: type[Any], known: Mapping[str, Any]) -> dict[str, _Setting]:
    try:
        with path.open("rb") as file:
            table = tomllib.load(file)
    except FileNotFoundError as error:
        raise ConfigError(f"configuration file not found at {path}") from error
    except OSError as error:
        raise ConfigError(f"cannot read the configuration file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    sections = {name.rpartition(".")[0] for name in known} - {""}
    sections |= {name.split(".")[0] for name in sections}
    settings = {}
    for name, value in _flatten(table, sections):
        _check_known(name, value, known, sections, origin=str(path))
        settings[name] = _Setting(value, str(path), from_text=False, folder=path.parent)
    return settings


def _flatten(table: Mapping[str, Any], sections: set[str], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and name in sections:
            yield from _flatten(value, sections, f"{name}.")
        else:
            yield name, value


def _check_known(name: str, value: object, known: Mapping[str, Any], sections: set[str], *, origin: str) -> None:
    if name in sections:
        raise ConfigError(f"{origin}: '{name}' is a section, write [{name}] and its keys, not {value!r}")
    if name not in known and not _is_secret_file(name, known):
        raise ConfigError(f"{origin}: unknown key '{name}'{_nearest(name, known, sections)}")


def _nearest(name: str, known: Mapping[str, Any], sections: set[str]) -> str:
    candidates = [*known, *sections]
    close = difflib.get_close_matches(name, candidates, n=1, cutoff=0.6)
    if not close:  # a right key in the wrong section shares only its last part
        last = name.rpartition(".")[2]
        close = [other for other in candidates if other.rpartition(".")[2] == last][:1]
    if close:
        return f"; the nearest known one is '{close[0]}'"
    return f"; known keys are {', '.join(sorted(known))}"


def _is_secret_file(name: str, known: Mapping[str, Any]) -> bool:
    return name.endswith(FILE_SUFFIX) and name.removesuffix(FILE_SUFFIX) in known


def _settings_from_environment(environ: Mapping[str, str], known: Mapping[str, Any]) -> dict[str, _Setting]:
    sections = {name.split(".")[0] for name in known if "." in name}
    settings = {}
    for variable, text in environ.items():
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        name = variable.removeprefix(ENVIRONMENT_PREFIX).lower().replace(SECTION_SEPARATOR, ".")
        if name in known or _is_secret_file(name, known):
            settings[name] = _Setting(text, variable, from_text=True)
        elif name.split(".")[0] in sections:
            raise ConfigError(f"unknown setting in the environment, {variable}{_nearest(name, known, set())}")
        else:
            logger.debug("ignored %s: this command has no such setting", variable)  # meant for another command
    return settings


def _settings_from_flags(flags: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, _Setting]:
    unknown = [name for name in flags if name not in known]
    if unknown:
        raise ValueError(f"flags that name no setting: {unknown}; settings are {sorted(known)}")
    return {name: _Setting(value, "flag", from_text=True) for name, value in flags.items() if value is not None}


def _build(cls: type[T], prefix: str, settings: Mapping[str, _Setting]) -> T:
    hints = typing.get_type_hints(cls)
    arguments: dict[str, Any] = {}
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        if not field.init:
            continue
        name = f"{prefix}{field.name}"
        kind = hints[field.name]
        if _is_section(kind):
            if _has_default(field) and not any(other.startswith(f"{name}.") for other in settings):
                continue
            arguments[field.name] = _build(kind, f"{name}.", settings)
        elif name in settings:
            arguments[field.name] = _value(name, kind, settings[name])
        elif f"{name}{FILE_SUFFIX}" in settings and f"{field.name}{FILE_SUFFIX}" not in hints:
            arguments[field.name] = _secret(f"{name}{FILE_SUFFIX}", kind, settings[f"{name}{FILE_SUFFIX}"])
        elif not _has_default(field):
            raise ConfigError(f"missing setting '{name}': give it as a flag, as {_variable(name)} or in --config FILE")
    try:
        return cls(**arguments)
    except ConfigError:
        raise
    except (ValueError, TypeError) as error:  # a check in __post_init__
        where = f"[{prefix.rstrip('.')}] " if prefix else ""
        raise ConfigError(f"wrong setting: {where}{error}") from error


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def _variable(name: str) -> str:
    return ENVIRONMENT_PREFIX + name.replace(".", SECTION_SEPARATOR).upper()


def _value(name: str, kind: Any, setting: _Setting) -> object:
    try:
        return coerce(setting.value, kind, from_text=setting.from_text, folder=setting.folder)
    except ValueError as error:
        raise ConfigError(f"{setting.origin}: '{name}' must be {error}") from error


def _secret(name: str, kind: Any, setting: _Setting) -> object:
    path = _value(name, Path, setting)
    assert isinstance(path, Path)
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{setting.origin}: '{name}' names {path}, which cannot be read: {error.strerror}") from error
    return _value(name, kind, _Setting(text, str(path), from_text=True))
