"""Which epoch follows which: an old manifest that is announced again must not take the player back."""

from __future__ import annotations

from collections import deque

from protocol.manifest import StreamManifest

KNOWN_EPOCHS = 32
"""Past epochs remembered, so that an old manifest delivered again is not taken for a new one."""

ALIVE_S = 4.0
"""An epoch whose last packet is no older than this is alive; as long as the jitter buffer waits for one."""


class Succession:
    """The epochs of a stream in the order they were opened. Times are those of arrival, seconds.

    A manifest that was opened before is old for good. One that is unknown and whose first frame was captured before
    that of the newest epoch may be a replay, or a gateway that was started again with a clock set back: it waits until
    the newest epoch has fallen silent, and is opened then.
    """

    def __init__(self) -> None:
        self._known: deque[int] = deque(maxlen=KNOWN_EPOCHS)
        self._newest_start_ms: float | None = None
        self._heard_at: float | None = None
        self._held_back: StreamManifest | None = None

    @property
    def begun(self) -> bool:
        """Whether any epoch was opened."""
        return bool(self._known)

    def is_known(self, manifest: StreamManifest) -> bool:
        """Whether its epoch was opened before."""
        return manifest.epoch in self._known

    def is_older(self, manifest: StreamManifest) -> bool:
        """Whether its first frame was captured before that of the newest epoch."""
        return self._newest_start_ms is not None and _start_ms(manifest) < self._newest_start_ms

    def open(self, manifest: StreamManifest) -> None:
        """It is the newest now."""
        self._known.append(manifest.epoch)
        self._newest_start_ms = _start_ms(manifest)
        self._heard_at = self._held_back = None

    def hear(self, at: float) -> None:
        """A packet of the newest epoch came at `at`."""
        self._heard_at = at

    def is_alive(self, at: float) -> bool:
        """Whether a packet of the newest epoch came not long before `at`."""
        return self._heard_at is not None and at - self._heard_at < ALIVE_S

    def hold_back(self, manifest: StreamManifest) -> bool:
        """Keep it for when the newest epoch is silent; whether it is another than the one that waits already."""
        is_news = self._held_back is None or self._held_back.epoch != manifest.epoch
        self._held_back = manifest
        return is_news

    def release(self) -> StreamManifest | None:
        """The one that waits, which then waits no more."""
        manifest, self._held_back = self._held_back, None
        return manifest


def _start_ms(manifest: StreamManifest) -> float:
    """UTC of its first frame."""
    return manifest.captured_at_ms(manifest.first_frame)
