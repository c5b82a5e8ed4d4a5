"""Everything the gateway says besides tokens: presence, manifest, events, clock reports."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from gateway.encoder_worker import FrameMark
from protocol.event import (
    CLOCK_REPORT_S,
    HEARTBEAT_S,
    ClockReport,
    Event,
    SourceResumed,
    SourceStalled,
    StreamGap,
    StreamPaused,
    StreamStarted,
    StreamStopped,
    encode_event,
)
from protocol.limits import MAX_RATE_PPM
from protocol.manifest import StreamManifest, encode_manifest
from protocol.status import Stat
from protocol.topics import Topics
from protocol.transport import Presence, PublishingConnection

__all__ = ["STATUS_REFRESH_S", "Announcer"]

STATUS_REFRESH_S = 60.0
SOURCE_STALLED = "the source gives no sound"
_MIN_RATE_SPAN_S = 30.0  # a shorter span measures the jitter of one block, not the rate of a crystal


STATUS_NAMES = frozenset(
    {
        "frames_encoded",
        "frames_published",
        "frames_dropped",
        "frames_silent",
        "frames_gapped",
        "input_overflows",
        "source_stalls",
        "nonfinite_samples",
        "connects",
        "encode_rtf",
    }
)
"""Counters that the retained status carries; all of them are in the statistics file. The uplink may be thin as well."""


class Announcer:
    """Keeps what is retained true, and the players' clocks fed. All it says goes by the reliable lane.

    `reannounce` is called from the connection's thread after every connect, the rest from the pipeline's thread and
    the encoder worker's: a lock keeps the manifest whole.

    presence: what is said of this gateway; of the counters only the numbers go out.
    clock: seconds, monotonic. utc: seconds since 1970.
    """

    def __init__(
        self,
        connection: PublishingConnection,
        topics: Topics,
        *,
        stream: str,
        presence: Presence,
        clock: Callable[[], float],
        utc: Callable[[], float],
    ) -> None:
        self._connection = connection
        self._topics = topics
        self._stream = stream
        self._presence = presence
        self._clock = clock
        self._utc = utc
        self._lock = threading.Lock()
        self._manifest: StreamManifest | None = None
        self._refreshed_at = 0.0
        self._status_at = clock()
        self._reported_at = 0.0
        self._first_mark: FrameMark | None = None
        self._stalled = False
        self._heartbeat_at: float | None = None  # when the next is due; None: packets are sent
        self.clock_reports = 0
        self.heartbeats = 0

    def reannounce(self) -> None:
        """After a connect: presence again, and the manifest where there is one."""
        self._say_status()
        self._say_manifest()

    def open_stream(self, manifest: StreamManifest) -> None:
        """Announce a stream: manifest first, then the event that it starts."""
        with self._lock:
            self._manifest = manifest
        self._reported_at = self._clock()
        self._say_manifest()
        self._say(StreamStarted(manifest.epoch, manifest.first_frame, manifest.started_at_ms))

    def close_stream(self, next_index: int, ended_at: float | None = None) -> None:
        """Say the last frame and take the manifest away.

        next_index: one past the last frame. ended_at: when that ended, seconds of the clock; None for now.
        """
        with self._lock:
            manifest, self._manifest = self._manifest, None
        if manifest is None:
            return
        last = max(manifest.first_frame, next_index) - 1
        self._say(StreamStopped(manifest.epoch, manifest.first_frame, last, self._utc_ms(ended_at or self._clock())))
        self._connection.publish(self._topics.manifest(self._stream), b"", qos=1, retain=True, reliable=True)

    def gap(self, first: int, frames: int) -> None:
        """Frames that will never come, so that no player waits for them."""
        with self._lock:
            manifest = self._manifest
        if manifest is not None:
            self._say(StreamGap(manifest.epoch, first, frames))

    def stalled(self, frame: int, at: float) -> None:
        """The source hands over nothing. frame: the first one missing. at: the end of the sound, seconds of the clock.

        The event is for the players that are there, the status for those that come while it lasts.
        """
        self._stalled = True
        with self._lock:
            manifest = self._manifest
        if manifest is not None:
            self._say(SourceStalled(manifest.epoch, frame, self._utc_ms(at)))
            self._say_status()

    def resumed(self, frame: int, at: float) -> None:
        """There is sound again. frame: the first one of it. at: when its first sample was recorded."""
        self._stalled = False
        with self._lock:
            manifest = self._manifest
        if manifest is not None:
            self._say(SourceResumed(manifest.epoch, frame, self._utc_ms(at)))
            self._say_status()

    def tick(self, stats: Callable[[], Mapping[str, Stat]]) -> None:
        """Once in a while: refresh manifest and status."""
        now = self._clock()
        with self._lock:
            manifest = self._manifest
        if manifest is None:
            return
        if now - self._refreshed_at >= manifest.refresh_s:
            self._say_manifest()
        # Every player hears it: once a minute it would cost as much as the heartbeats of a stream that saves on those.
        if now - self._status_at >= (manifest.refresh_s if manifest.silence else STATUS_REFRESH_S):
            self._say_status(stats())

    def sounds(self) -> None:
        """Packets are sent. Called on the encoder worker's thread."""
        self._heartbeat_at = None

    def pauses(self) -> None:
        """The last packet before a pause was handed over. Called on the encoder worker's thread."""
        with self._lock:
            manifest = self._manifest
        self._heartbeat_at = self._clock() + HEARTBEAT_S
        if manifest is not None and manifest.qos == 0:
            self._say_heartbeat(manifest)  # that packet may be lost, and the pause with it

    def heartbeat_tick(self) -> None:
        """In a pause, with every frame that is not sent: say that the stream is alive where it is time to. Called on
        the encoder worker's thread; where the source stalls, nothing is said."""
        with self._lock:
            manifest = self._manifest
        now = self._clock()
        if manifest is not None and self._heartbeat_at is not None and now >= self._heartbeat_at:
            self._heartbeat_at = now + HEARTBEAT_S
            self._say_heartbeat(manifest)

    def _say_heartbeat(self, manifest: StreamManifest) -> None:
        # QoS 0, as the clock report that it replaces: the next one makes a lost one good.
        self._say(StreamPaused(manifest.epoch_low7), qos=0)
        self.heartbeats += 1

    def clock_tick(self, mark: FrameMark, *, live: bool) -> None:
        """Report the clock where it is time to; `mark` is the latest frame. Called on the encoder worker's thread.

        Call it together with a token packet: both then share the acknowledgements of TCP, 104 bytes less a report.
        """
        with self._lock:
            manifest = self._manifest
        if manifest is None:
            return
        # A live source starts when it likes, not when the manifest said: its first frame is reported at once.
        first = self._first_mark is None
        self._first_mark = self._first_mark or mark
        now = self._clock()
        if (first and live) or now - self._reported_at >= CLOCK_REPORT_S:
            self._report_clock(manifest, mark)
            self._reported_at = now

    def _report_clock(self, manifest: StreamManifest, mark: FrameMark) -> None:
        frame_s = manifest.codec.frame_size / manifest.codec.sample_rate
        at_ms = self._utc_ms(mark.captured_at)
        # QoS 0: a lost report is made good by the next one, an acknowledged one costs the thin link 100 bytes more.
        self._say(ClockReport(manifest.epoch, mark.index, at_ms, self._rate_ppm(mark, frame_s)), qos=0)
        self.clock_reports += 1

    def _rate_ppm(self, mark: FrameMark, frame_s: float) -> float:
        """How much faster than nominal the source's sample clock runs against ours, in parts per million."""
        first = self._first_mark or mark
        elapsed = mark.captured_at - first.captured_at
        if elapsed < _MIN_RATE_SPAN_S:
            return 0.0
        ppm = ((mark.index - first.index) * frame_s / elapsed - 1.0) * 1e6
        return max(-MAX_RATE_PPM, min(MAX_RATE_PPM, ppm))

    def _say_status(self, stats: Mapping[str, Stat] | None = None) -> None:
        with self._lock:
            epoch = None if self._manifest is None else self._manifest.epoch
        numbers = {name: value for name, value in (stats or {}).items() if name in STATUS_NAMES}
        if self._stalled:
            self._presence.update("waiting", SOURCE_STALLED, epoch=epoch, stats=numbers)
        else:
            self._presence.update("online", epoch=epoch, stats=numbers)
        self._status_at = self._clock()
        self._presence.announce(self._connection)

    def _say_manifest(self) -> None:
        with self._lock:
            manifest = self._manifest
        if manifest is None:
            return
        self._refreshed_at = self._clock()
        self._connection.publish(
            self._topics.manifest(self._stream),
            encode_manifest(manifest),
            qos=1,
            retain=True,
            expiry_s=manifest.expiry_s,
            reliable=True,
        )

    def _say(self, event: Event, *, qos: int = 1) -> None:
        self._connection.publish(self._topics.event(self._stream), encode_event(event), qos=qos, reliable=True)

    def _utc_ms(self, at: float) -> int:
        """A moment of the monotonic clock as UTC. Asked anew each time: UTC may step, the monotonic clock does not."""
        return round((self._utc() - (self._clock() - at)) * 1000)
