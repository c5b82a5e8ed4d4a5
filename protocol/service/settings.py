"""What settings a command has: every field of its configuration classes, by dotted name, with type and default."""

from __future__ import annotations

import dataclasses
import enum
import json
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from protocol.service.coercion import PathOrName

ENVIRONMENT_PREFIX: Final = "VOXWIRE_"
SECTION_SEPARATOR: Final = "__"
FILE_SUFFIX: Final = "_file"


_WORDS: Final = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
    Path: "path",
    PathOrName: "path or name",
}


class _Required:
    """The default of a setting that has none."""

    def __repr__(self) -> str:
        return "required"


REQUIRED: Final = _Required()


@dataclass(frozen=True, slots=True)
class SettingKind:
    """One setting: its dotted name, type and default (`REQUIRED` where it has none).

    secret: a field that its class keeps out of `repr`, such as a password; it is never shown.
    """

    name: str
    kind: Any
    default: object
    secret: bool

    @property
    def section(self) -> str:
        """What stands in brackets in the file; empty at the top."""
        return self.name.rpartition(".")[0]

    @property
    def key(self) -> str:
        """Its name inside the section."""
        return self.name.rpartition(".")[2]

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return variable_of(self.name)


def variable_of(name: str) -> str:
    """`VOXWIRE_SECTION__KEY` for `section.key`."""
    return ENVIRONMENT_PREFIX + name.replace(".", SECTION_SEPARATOR).upper()


def list_settings(cls: type[Any], prefix: str = "") -> Iterator[SettingKind]:
    """Every setting below `cls`, a dataclass whose fields may be dataclasses (sections), in the order written."""
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        if not field.init:
            continue
        kind = hints[field.name]
        if is_section(kind):
            yield from list_settings(kind, f"{prefix}{field.name}.")
        else:
            yield SettingKind(f"{prefix}{field.name}", kind, default_of(field), secret=not field.repr)


def is_section(kind: object) -> bool:
    """Is this type a group of settings?"""
    return isinstance(kind, type) and dataclasses.is_dataclass(kind)


def default_of(field: dataclasses.Field[Any]) -> object:
    """What the field holds when nothing is said; REQUIRED where something must be."""
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return REQUIRED


def describe_kind(kind: Any) -> str:
    """A type in words, choices as they stand in a file: `text`, `whole number or none`, `"lan", "wan" or "narrow"`."""
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        members = [describe_kind(member) for member in typing.get_args(kind) if member is not type(None)]
        return " or ".join([*members, *(["none"] if type(None) in typing.get_args(kind) else [])])
    if origin is typing.Literal:
        return _either([toml_value(choice) or "" for choice in typing.get_args(kind)])
    if origin is tuple:
        return f"list of {describe_kind(typing.get_args(kind)[0])}s"
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _either([toml_value(member) or "" for member in kind])
    return _WORDS[kind]


def toml_value(value: object) -> str | None:
    """`value` as TOML; None where TOML has no way to write it: nothing at all, or a name that is not Unicode."""
    if isinstance(value, enum.Enum):
        return toml_value(value.value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (str, Path)):
        return _toml_text(str(value))
    if isinstance(value, tuple):
        parts = [toml_value(item) for item in value]
        return None if None in parts else f"[{', '.join(part for part in parts if part is not None)}]"
    return None


def _toml_text(text: str) -> str | None:
    if any("\ud800" <= character <= "\udfff" for character in text):
        return None  # half of a pair: a byte of a file name that is no UTF-8
    # The escapes of JSON are escapes of TOML too; DEL is the one character that JSON leaves as it is and TOML forbids.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _either(choices: list[str]) -> str:
    return choices[0] if len(choices) == 1 else f"{', '.join(choices[:-1])} or {choices[-1]}"
