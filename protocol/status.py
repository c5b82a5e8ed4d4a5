"""Presence: a retained JSON message per gateway and per edge player, and the will that the broker sends for them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, TypeVar, get_args

from protocol.errors import Fault, MessageError
from protocol.limits import (
    MAX_EPOCH,
    MAX_REASON_LENGTH,
    MAX_STAT_TEXT_LENGTH,
    MAX_STATS,
    MAX_STATUS_BYTES,
    WIRE_VERSION,
)
from protocol.untrusted import (
    check_id,
    check_int,
    check_printable,
    check_text,
    dump_json_object,
    format_hex64,
    parse_hex64,
    parse_json_object,
)

Role: TypeAlias = Literal["gateway", "edge"]
State: TypeAlias = Literal["online", "offline", "refused", "waiting"]
Stat: TypeAlias = int | float | str
_Choice = TypeVar("_Choice", bound=str)

_ROLES: Final[Mapping[str, Role]] = {role: role for role in get_args(Role)}
_STATES: Final[Mapping[str, State]] = {state: state for state in get_args(State)}
_STAT_NAME: Final = re.compile(r"[a-z0-9_.-]{1,48}")
_MAX_STAT: Final = 2**53 - 1


@dataclass(frozen=True, slots=True)
class StatusMessage:
    """What one end says about itself. Raises MessageError where a field is out of its range."""

    role: Role
    id: str
    state: State
    """online: works. offline: ended, or its will. refused: cannot play this stream. waiting: for a stream or device."""
    session: int
    """64 bits; higher at every start of the program (UTC in ns will do), so that an older will is known as such."""
    reason: str | None = None
    """For people: why it is offline, refused or waiting. `clean_text(text, MAX_REASON_LENGTH)` makes any text fit."""
    epoch: int | None = None
    """Of the stream that is sent or played, where there is one."""
    stats: Mapping[str, Stat] = field(default_factory=dict)
    """Up to 64 counters and figures by name; finite numbers or short text."""

    def __post_init__(self) -> None:
        _one_of(self.role, "role", _ROLES)
        check_id(self.id, "id", error=MessageError)
        _one_of(self.state, "state", _STATES)
        check_int(self.session, "session", 0, MAX_EPOCH, error=MessageError)
        if self.reason is not None:
            check_printable(self.reason, "reason", MAX_REASON_LENGTH, error=MessageError)
        if self.epoch is not None:
            check_int(self.epoch, "epoch", 0, MAX_EPOCH, error=MessageError)
        _check_stats(self.stats)

    def supersedes(self, previous: StatusMessage | None) -> bool:
        """Whether this may replace `previous` of the same end: false for the late will of an earlier session."""
        return previous is None or self.session >= previous.session


def encode_status(status: StatusMessage) -> bytes:
    """JSON in UTF-8; MessageError where it has more than 2048 bytes."""
    fields: dict[str, object] = {
        "v": WIRE_VERSION,
        "role": status.role,
        "id": status.id,
        "state": status.state,
        "session": format_hex64(status.session),
    }
    if status.reason is not None:
        fields["reason"] = status.reason
    if status.epoch is not None:
        fields["epoch"] = format_hex64(status.epoch)
    if status.stats:
        fields["stats"] = dict(status.stats)
    return dump_json_object(fields, max_bytes=MAX_STATUS_BYTES, error=MessageError, advice="send fewer stats")


def decode_status(payload: bytes) -> StatusMessage:
    """The status in `payload`; raises MessageError and nothing else. Empty (reason SIZE): it was cleared."""
    fields = parse_json_object(payload, max_bytes=MAX_STATUS_BYTES, error=MessageError)
    version = check_int(fields.get("v"), "v", 0, 2**31, error=MessageError)
    if version != WIRE_VERSION:
        raise MessageError(Fault.VERSION, f"expected version {WIRE_VERSION}, got {version}: update this program")
    reason, epoch, stats = fields.get("reason"), fields.get("epoch"), fields.get("stats")
    return StatusMessage(
        role=_one_of(fields.get("role"), "role", _ROLES),
        id=check_id(fields.get("id"), "id", error=MessageError),
        state=_one_of(fields.get("state"), "state", _STATES),
        session=parse_hex64(fields.get("session"), "session", error=MessageError),
        reason=None if reason is None else check_printable(reason, "reason", MAX_REASON_LENGTH, error=MessageError),
        epoch=None if epoch is None else parse_hex64(epoch, "epoch", error=MessageError),
        stats={} if stats is None else _stats(stats),
    )


def _one_of(value: object, name: str, choices: Mapping[str, _Choice]) -> _Choice:
    if type(value) is not str:
        raise MessageError(Fault.TYPE, f"{name}: expected text, got {type(value).__name__}")
    if value not in choices:
        raise MessageError(Fault.RANGE, f"{name}: expected one of {', '.join(choices)}, got {value[:40]!r}")
    return choices[value]


def _stats(value: object) -> dict[str, Stat]:
    if not isinstance(value, dict):
        raise MessageError(Fault.STRUCTURE, f"stats: expected an object, got {type(value).__name__}")
    return value


def _check_stats(stats: Mapping[str, Stat]) -> None:
    if len(stats) > MAX_STATS:
        raise MessageError(Fault.RANGE, f"stats: expected at most {MAX_STATS}, got {len(stats)}")
    for name, value in stats.items():
        check_text(name, "name of a stat", _STAT_NAME, "1 to 48 of a-z, 0-9 and _ . -", error=MessageError)
        if type(value) is float:
            if not math.isfinite(value):
                raise MessageError(Fault.RANGE, f"stats.{name}: expected a finite number, got {value}")
        elif type(value) is str:
            if value:
                check_printable(value, f"stats.{name}", MAX_STAT_TEXT_LENGTH, error=MessageError)
        else:
            check_int(value, f"stats.{name}", -_MAX_STAT, _MAX_STAT, error=MessageError)
