"""The settings that hold in the end, each with where it came from: as TOML that is valid as input again, or as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from protocol.service.coercion import PathOrName
from protocol.service.given import GivenSetting
from protocol.service.settings import FILE_SUFFIX, SettingKind, list_settings, toml_value

MASK: Final = "********"
_LOGIN_IN_ADDRESS: Final = re.compile(r"(?<=://)([^/@\s:]*):[^/\s]*(?=@)")
_COMMENT_COLUMN: Final = 52


@dataclass(frozen=True, slots=True)
class EffectiveSetting:
    """One setting as it holds. `key` is what to write in the file: the name, or its `_file` twin where that was given.

    hidden: it is set, and `value` shows only that.
    """

    setting: SettingKind
    key: str
    value: object
    origin: str
    hidden: bool


def effective_settings(
    config: object, given: Mapping[str, GivenSetting], *, flags: Mapping[str, str]
) -> list[EffectiveSetting]:
    """Every setting of `config`, which was built from `given`; `flags` maps dotted names to flags (`--broker`)."""
    return [_effective(setting, config, given, flags) for setting in list_settings(type(config))]


def _effective(
    setting: SettingKind, config: object, given: Mapping[str, GivenSetting], flags: Mapping[str, str]
) -> EffectiveSetting:
    value: Any = config
    for part in setting.name.split("."):
        value = getattr(value, part)
    twin = given.get(f"{setting.name}{FILE_SUFFIX}")
    source = given.get(setting.name)
    if twin is not None and source is None and not _is_field(config, f"{setting.name}{FILE_SUFFIX}"):
        path = Path(str(twin.value)).expanduser()
        path = path if twin.folder is None else twin.folder / path
        key = f"{setting.key}{FILE_SUFFIX}"
        return EffectiveSetting(setting, key, path.absolute(), _origin(setting, twin, flags), hidden=False)
    if source is not None:
        origin = _origin(setting, source, flags)
    else:
        origin = "default" if value == setting.default else f"from the rest of [{setting.section}]"
    if isinstance(value, Path) or (isinstance(value, PathOrName) and Path(value).exists()):
        value = Path(value).absolute()  # what is printed may be saved in another folder
    if setting.secret and value is not None:
        return EffectiveSetting(setting, setting.key, MASK, origin, hidden=True)
    if isinstance(value, str) and holds_login(value):
        return EffectiveSetting(setting, setting.key, mask_login(value), origin, hidden=True)
    return EffectiveSetting(setting, setting.key, value, origin, hidden=False)


def holds_login(text: str) -> bool:
    """Does an address hold a password: `scheme://user:password@host`?"""
    return _LOGIN_IN_ADDRESS.search(text) is not None


def mask_login(text: str) -> str:
    """The same text with every such password masked."""
    return _LOGIN_IN_ADDRESS.sub(rf"\1:{MASK}", text)


def _is_field(config: object, name: str) -> bool:
    return any(setting.name == name for setting in list_settings(type(config)))


def _origin(setting: SettingKind, given: GivenSetting, flags: Mapping[str, str]) -> str:
    return flags.get(setting.name, "flag") if given.from_flag else given.origin


def settings_to_toml(settings: Iterable[EffectiveSetting], *, heading: str) -> str:
    """A file for --config. What is hidden, or not set, stands there as a comment."""
    lines = [f"# {heading}"]
    for section, members in groupby(settings, key=lambda entry: entry.setting.section):
        lines += ["", f"[{section}]"] if section else [""]
        lines += [_line(entry) for entry in members]
    return "\n".join(lines)


def _line(entry: EffectiveSetting) -> str:
    written = toml_value(entry.value)
    if entry.value is None:
        text, remark = f"# {entry.key} =", f"not set: {entry.origin}"
    elif written is None:
        text, remark = f"# {entry.key} =", f"{entry.origin}; TOML cannot write this value"
    elif entry.hidden:
        text, remark = f"# {entry.key} = {written}", f"{entry.origin}; set, and not shown"
    else:
        text, remark = f"{entry.key} = {written}", entry.origin
    # A name of a file may hold a line feed, and what follows it would be a setting.
    remark = "".join(character if character.isprintable() else "?" for character in remark)
    return f"{text:<{_COMMENT_COLUMN}}  # {remark}"


def settings_to_dict(settings: Iterable[EffectiveSetting]) -> dict[str, object]:
    """For JSON: by dotted name, the value (null where none is set or it is hidden) and where it came from."""
    return {
        ".".join(part for part in (entry.setting.section, entry.key) if part): {
            "value": None if entry.hidden else _plain(entry.value),
            "set": entry.value is not None,
            "origin": entry.origin,
        }
        for entry in settings
    }


def _plain(value: object) -> object:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return [_plain(item) for item in value] if isinstance(value, tuple) else str(getattr(value, "value", value))
