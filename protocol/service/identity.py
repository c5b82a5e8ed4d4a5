"""A name for this machine that stays the same and differs from every other machine's."""

from __future__ import annotations

import hashlib
import re
import socket
import uuid
from pathlib import Path

_MACHINE_ID_FILES = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
_DIGEST_CHARS = 10  # 40 bits: a collision among 10,000 devices has a chance of 5e-5
_PREFIX = re.compile(r"[a-z0-9-]{1,21}")


def device_id(prefix: str) -> str:
    """`<prefix>-<10 hex digits>`, stable per machine, `[a-z0-9-]{1,32}`.

    The digits are a hash of machine-id and host name: the machine-id itself is meant to stay secret (machine-id(5)),
    and containers of one image may share it. Two processes of one kind on one machine need an id of their own.
    """
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(f"device id prefix must match {_PREFIX.pattern}, got {prefix!r}")
    digest = hashlib.sha256(f"voxwire\n{_machine_seed()}\n{socket.gethostname()}".encode())
    return f"{prefix}-{digest.hexdigest()[:_DIGEST_CHARS]}"


def _machine_seed() -> str:
    for path in _MACHINE_ID_FILES:
        try:
            text = path.read_text(encoding="ascii", errors="replace").strip()
        except OSError:
            continue
        if text:
            return text
    return f"{uuid.getnode():012x}"  # the network card's address where there is no machine-id
