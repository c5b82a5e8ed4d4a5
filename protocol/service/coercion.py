"""A value as it was written, turned into the type that a setting has."""

from __future__ import annotations

import enum
import math
import re
import types
import typing
from pathlib import Path
from typing import Any

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


class PathOrName(str):
    """A setting that names a path, or something that lies elsewhere: `owner/name`, which stays as it is written unless
    there is such a path."""


def coerce(value: object, kind: Any, *, from_text: bool, folder: Path | None = None) -> object:
    """`value` as `kind`: bool, int, float, str, Path, PathOrName, Enum, Literal, tuple[X, ...] or a union with None.

    `from_text`: text may stand for numbers, flags and comma-separated tuples (environment, flags); otherwise types are
    taken strictly (TOML), save that an integer is a float. Relative paths are joined to `folder`.
    Raises ValueError whose text completes the sentence "must be …".
    """
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return _coerce_union(value, kind, from_text=from_text, folder=folder)
    if origin is typing.Literal:
        return _coerce_literal(value, typing.get_args(kind), from_text=from_text)
    if origin is tuple:
        return _coerce_tuple(value, kind, from_text=from_text, folder=folder)
    if kind is bool:
        return _coerce_bool(value, from_text=from_text)
    if kind is int:
        return _coerce_int(value, from_text=from_text)
    if kind is float:
        return _coerce_float(value, from_text=from_text)
    if kind is str:
        return _expect(value, str, "a text")
    if kind is Path:
        return _coerce_path(value, folder)
    if kind is PathOrName:
        return _coerce_path_or_name(value, folder)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _coerce_enum(value, kind)
    raise TypeError(f"settings of type {kind!r} are not supported")  # a bug of ours, not of the user


def _coerce_union(value: object, kind: Any, *, from_text: bool, folder: Path | None) -> object:
    members = [member for member in typing.get_args(kind) if member is not type(None)]
    if value is None:
        return None
    errors = []
    for member in members:
        try:
            return coerce(value, member, from_text=from_text, folder=folder)
        except ValueError as error:
            errors.append(error)
    raise errors[0] if len(errors) == 1 else ValueError(" or ".join(str(error) for error in errors))


def _coerce_literal(value: object, choices: tuple[object, ...], *, from_text: bool) -> object:
    for choice in choices:
        if (type(value) is type(choice) and value == choice) or (from_text and str(value) == str(choice)):
            return choice
    raise ValueError(f"one of {', '.join(str(choice) for choice in choices)}, got {value!r}")


def _coerce_tuple(value: object, kind: Any, *, from_text: bool, folder: Path | None) -> tuple[object, ...]:
    member, *rest = typing.get_args(kind)
    if rest != [Ellipsis]:
        raise TypeError(f"settings of type {kind!r} are not supported; use tuple[X, ...]")
    if from_text and isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"a list, got {value!r}")
    return tuple(coerce(item, member, from_text=from_text, folder=folder) for item in value)


def _coerce_bool(value: object, *, from_text: bool) -> bool:
    if from_text and isinstance(value, str):
        text = value.strip().lower()
        if text in _TRUE | _FALSE:
            return text in _TRUE
    if isinstance(value, bool):
        return value
    raise ValueError(f"true or false, got {value!r}")


def _coerce_int(value: object, *, from_text: bool) -> int:
    if from_text and isinstance(value, str):
        try:
            number = int(value)
        except ValueError:
            raise ValueError(f"a whole number, got {value!r}") from None
        return _expect_64_bits(number)
    if isinstance(value, int) and not isinstance(value, bool):
        return _expect_64_bits(value)
    raise ValueError(f"a whole number, got {value!r}")


def _expect_64_bits(value: int) -> int:
    # TOML and Python have integers of any length. A longer one is no double, and may be too long to print.
    if not -(2**63) <= value < 2**63:
        raise ValueError("a whole number of at most 64 bits")
    return value


def _coerce_float(value: object, *, from_text: bool) -> float:
    if from_text and isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise ValueError(f"a number, got {value!r}") from None
    if isinstance(value, int) and not isinstance(value, bool):
        return float(_expect_64_bits(value))
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise ValueError(f"a number, got {value!r}")


def _coerce_path(value: object, folder: Path | None) -> Path:
    if not isinstance(value, (str, Path)) or not str(value) or "\0" in str(value):
        raise ValueError(f"a path, got {value!r}")
    try:
        path = Path(value).expanduser()
    except RuntimeError as error:  # ~somebody, whom this machine does not know
        raise ValueError(f"a path, got {value!r} (a file that is named so: ./{value})") from error
    return path if folder is None or path.is_absolute() else folder / path


def _coerce_path_or_name(value: object, folder: Path | None) -> PathOrName:
    path = _coerce_path(value, folder)
    return PathOrName(value if _NAME.fullmatch(str(value)) and not path.exists() else path)


def _coerce_enum(value: object, kind: type[enum.Enum]) -> enum.Enum:
    if isinstance(value, kind):
        return value
    for member in kind:
        if value == member.value or str(value).lower() == member.name.lower():
            return member
    raise ValueError(f"one of {', '.join(str(member.value) for member in kind)}, got {value!r}")


def _expect(value: object, kind: type, name: str) -> object:
    if isinstance(value, kind):
        return value
    raise ValueError(f"{name}, got {value!r}")
