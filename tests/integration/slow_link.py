"""A link of so many bytes a second in front of a broker, which then gets faster: a mobile link, as TCP shows it."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from tests.relay import Hold, Relay

BURST_BYTES = 600
"""At full speed after a pause: most of a greeting, or three packets of audio."""


class SlowLink(Relay):
    """Passes on to the broker at `url`. Upwards it is fast.

    rate: bytes a second downwards, of each connection; may be changed at any time; None for no limit.
    """

    chunk_bytes = 128
    buffer_bytes = 2048
    """What the link itself holds; the rest waits at the broker."""

    def __init__(self, url: str) -> None:
        target = urlsplit(url)
        assert target.hostname is not None
        assert target.port is not None
        super().__init__((target.hostname, target.port))
        self.rate: float | None = None

    def pace(self, *, down: bool) -> Hold:
        budget, looked_at = float(BURST_BYTES), time.monotonic()

        def hold(data: bytes) -> None:
            nonlocal budget, looked_at
            if down and (rate := self.rate) is not None:
                now = time.monotonic()
                budget = min(BURST_BYTES, budget + (now - looked_at) * rate) - len(data)
                looked_at = now
                self.closing.wait(max(0.0, -budget / rate))

        return hold
