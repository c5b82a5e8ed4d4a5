"""From bytes that anybody may have sent to plain values of known type and range.

Decoding is not validation: msgpack and json accept far more than we mean. Here are the gates that all messages share:
size before parsing, limits while parsing, exact types and ranges after it.
"""

from __future__ import annotations

import json
import re
from typing import Final, NoReturn

import msgpack

from protocol.errors import Fault, ProtocolError
from protocol.limits import MAX_ARRAY_FIELDS, MAX_TEXT_BYTES

ID_PATTERN: Final = re.compile(r"[a-z0-9-]{1,32}")
ID_RULE: Final = "1 to 32 characters from a-z, 0-9 and -"

_SCALARS: Final = frozenset({int, float, bool, type(None), str, bytes})

_TYPE_NAMES: Final = {bool: "a truth value", type(None): "nothing", str: "text", bytes: "bytes"}


def unpack_array(payload: bytes, *, at_least: int, max_bytes: int, error: type[ProtocolError]) -> tuple[object, ...]:
    """A flat msgpack array of `at_least` to 16 scalars; raises `error` and nothing else, whatever the bytes."""
    check_size(payload, max_bytes, error=error)
    try:
        fields = msgpack.unpackb(
            payload,
            raw=False,
            use_list=False,
            strict_map_key=True,
            max_array_len=MAX_ARRAY_FIELDS,
            max_map_len=0,
            max_ext_len=0,
            max_str_len=MAX_TEXT_BYTES,
            max_bin_len=max_bytes,
        )
    except Exception as cause:
        # Everything, on purpose: msgpack raises ValueError, its own tree and more, and a new release may add to them.
        # The argument is bytes and the options are constants, so whatever comes out was in the payload.
        raise error(Fault.MALFORMED, f"expected one msgpack array within limits: {type(cause).__name__}") from None
    if type(fields) is not tuple:
        raise error(Fault.STRUCTURE, f"expected a msgpack array, got {_name(fields)}")
    if len(fields) < at_least:
        raise error(Fault.STRUCTURE, f"expected an array of at least {at_least} fields, got {len(fields)}")
    for field in fields:
        if type(field) not in _SCALARS:
            # An empty map or ext passes the limits above; a nested array is never part of this protocol.
            raise error(Fault.STRUCTURE, f"expected an array of scalars, got {_name(field)} in it")
    return fields


def parse_json_object(payload: bytes, *, max_bytes: int, error: type[ProtocolError]) -> dict[str, object]:
    """One JSON object without duplicate keys, NaN or infinities; raises `error` and nothing else."""
    check_size(payload, max_bytes, error=error)
    try:
        value: object = json.loads(payload.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as cause:
        raise error(Fault.MALFORMED, f"expected one JSON object in UTF-8: {type(cause).__name__}") from None
    if not isinstance(value, dict):
        raise error(Fault.STRUCTURE, f"expected a JSON object, got {_name(value)}")
    return value


def dump_json_object(value: dict[str, object], *, max_bytes: int, error: type[ProtocolError], advice: str) -> bytes:
    """Compact UTF-8; raises `error` with `advice` for the user where it is longer than `max_bytes`."""
    payload = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")
    if len(payload) > max_bytes:
        raise error(Fault.SIZE, f"expected at most {max_bytes} bytes, the message has {len(payload)}: {advice}")
    return payload


def check_size(payload: bytes, max_bytes: int, *, error: type[ProtocolError]) -> None:
    if not 0 < len(payload) <= max_bytes:
        raise error(Fault.SIZE, f"expected 1 to {max_bytes} bytes, got {len(payload)}")


def check_int(value: object, name: str, low: int, high: int, *, error: type[ProtocolError]) -> int:
    """An integer from `low` to `high`, both included. True, 1.0 and numpy integers are refused: they are not int."""
    if type(value) is not int:
        raise error(Fault.TYPE, f"{name}: expected an integer, got {_name(value)}")
    if not low <= value <= high:
        # JSON has integers of any length, and a long one takes long to print.
        got = value if value.bit_length() <= 64 else "far more" if value > 0 else "far less"
        raise error(Fault.RANGE, f"{name}: expected {low} to {high}, got {got}")
    return value


def check_text(value: object, name: str, pattern: re.Pattern[str], rule: str, *, error: type[ProtocolError]) -> str:
    """Text that `pattern` matches as a whole; `rule` is the pattern in words."""
    if type(value) is not str:
        raise error(Fault.TYPE, f"{name}: expected text, got {_name(value)}")
    if pattern.fullmatch(value) is None:
        raise error(Fault.RANGE, f"{name}: expected {rule}, got {value[:40]!r}")
    return value


def check_id(value: object, name: str, *, error: type[ProtocolError]) -> str:
    return check_text(value, name, ID_PATTERN, ID_RULE, error=error)


def check_printable(value: object, name: str, max_length: int, *, error: type[ProtocolError]) -> str:
    """Text for people: 1 to `max_length` characters, none of them a control, format or surrogate character."""
    if type(value) is not str:
        raise error(Fault.TYPE, f"{name}: expected text, got {_name(value)}")
    if not 0 < len(value) <= max_length:
        raise error(Fault.RANGE, f"{name}: expected 1 to {max_length} characters, got {len(value)}")
    if not value.isprintable():
        raise error(Fault.RANGE, f"{name}: expected printable characters only, got {value[:40]!r}")
    return value


def parse_hex64(value: object, name: str, *, error: type[ProtocolError]) -> int:
    """A 64-bit number as 16 hex digits: as a JSON number it would lose digits wherever numbers are doubles."""
    return int(check_text(value, name, _HEX64, "16 hexadecimal digits (0-9 a-f)", error=error), 16)


def format_hex64(value: int) -> str:
    return f"{value:016x}"


def clean_text(text: str, max_length: int) -> str:
    """`text` made fit for `check_printable`: unprintable characters become spaces, the end is cut with an ellipsis."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    joined = " ".join(printable.split())
    if not joined:
        return "-"
    return joined if len(joined) <= max_length else joined[: max_length - 1] + "…"


_HEX64: Final = re.compile(r"[0-9a-f]{16}")


def _name(value: object) -> str:
    return _TYPE_NAMES.get(type(value), type(value).__name__)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise ValueError("the same key twice")
    return unique


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")
