"""Counters as plain numbers, for logs, status messages and statistics files."""

from __future__ import annotations

import dataclasses


def counters_snapshot(counters: object, *, prefix: str = "") -> dict[str, int | float]:
    """The public numeric fields of a dataclass instance, by name; other fields (texts, flags) are left out.

    `prefix` goes before every name.
    """
    if not dataclasses.is_dataclass(counters) or isinstance(counters, type):
        raise TypeError(f"expected a dataclass instance with counters, got {type(counters).__name__}")
    snapshot: dict[str, int | float] = {}
    for field in dataclasses.fields(counters):
        value = getattr(counters, field.name)
        if not field.name.startswith("_") and isinstance(value, (int, float)) and not isinstance(value, bool):
            snapshot[f"{prefix}{field.name}"] = value
    return snapshot
