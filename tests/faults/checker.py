"""What must hold after every row, whatever went wrong. Pure: evidence in, findings out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from protocol.service import ExitCode
from tests.faults.course import heard_share, recovery_s
from tests.faults.end import Stats
from tests.faults.evidence import EndEvidence, Evidence
from tests.faults.rows import Row

MAX_END_GROWTH: Final = 32 * 2**20
MAX_BROKER_GROWTH: Final = 8 * 2**20
BESIDE_HEARD_MIN: Final = 0.99
ROUNDING: Final = 0.005
"""The counters are written five times a second and looked at twenty times: a share of 20 s is not known better."""
STEADY_FRAMES: Final = 25
SENT: Final = ("frames_published", "frames_dropped", "frames_silent")
OUTCOMES: Final = ("frames_played", "frames_concealed", "frames_skipped", "frames_comfort")
NEVER: Final = ("handler_errors", "callback_errors", "epochs_bad_end", "nonfinite_frames", "packets_bad")


def failures(row: Row, found: Evidence) -> list[str]:
    """One sentence for each promise that was not kept."""
    return [
        *_ended_well(found),
        *_accounts(row, found),
        *_sound(row, found),
        *_memory(found),
        *_recorder(row, found),
    ]


def _ends(found: Evidence) -> dict[str, EndEvidence]:
    ends = {"gateway": found.gateway, "player": found.player}
    return ends if found.beside is None else ends | {"player beside": found.beside}


def _ended_well(found: Evidence) -> Iterator[str]:
    for name, end in _ends(found).items():
        if end.code != 0:
            yield f"{name}: exit code {end.code}"
        if "Traceback" in end.log:
            yield f"{name}: a traceback in its log"
        if end.stats is None:
            yield f"{name}: no final counters"
            continue
        yield from (f"{name}: {end.stats[what]} {what}" for what in NEVER if end.stats.get(what))


def _accounts(row: Row, found: Evidence) -> Iterator[str]:
    sent = found.gateway.stats
    # One that was killed took its counters with it: only what the second one says is exact.
    whole = sent if not row.faults_on("gateway") else None
    if sent is not None and sent["frames_encoded"] != sum(sent[what] for what in SENT):
        yield f"gateway: {sent['frames_encoded']} encoded, but " + ", ".join(f"{sent[what]} {what}" for what in SENT)
    if whole is not None and row.profile.qos == 1 and not row.faults_on("broker"):
        low, high = whole["frames_published"], whole["frames_encoded"]
        if not low <= found.seen_frames + found.repeater_dropped <= high:
            yield f"broker: {found.seen_frames} frames seen, {low} published of {high}"
    for name, end in _ends(found).items():
        if name != "gateway" and end.stats is not None:
            yield from _account_of_player(row, found, name, end.stats, whole)


def _account_of_player(row: Row, found: Evidence, name: str, got: Stats, sent: Stats | None) -> Iterator[str]:
    if got["frames_due"] != sum(got[what] for what in OUTCOMES):
        yield f"{name}: {got['frames_due']} due, but " + ", ".join(f"{got[what]} {what}" for what in OUTCOMES)
    if sent is not None and got["frames_due"] != sent["frames_encoded"] + sent["frames_gapped"]:
        yield f"{name}: {got['frames_due']} due of {sent['frames_encoded']} encoded, {sent['frames_gapped']} gapped"
    if not row.faults_on("broker") and got["frames_played"] > found.seen_frames:
        yield f"{name}: {got['frames_played']} played of {found.seen_frames} that passed the broker"
    if got["epochs"] != found.epochs:
        yield f"{name}: {got['epochs']} epochs of {found.epochs}"


def _sound(row: Row, found: Evidence) -> Iterator[str]:
    if found.foreign_frames:
        yield f"{found.foreign_frames} frames of another stream were heard"
    if not found.own_frames:
        yield "nothing of the own stream was heard"
    for name, end in _ends(found).items():
        oldest_ms = 0.0 if end.stats is None else end.stats.get("latency_ms_max", 0.0)
        limit_ms = row.age_limit_ms if end is found.beside or row.age_is_limited else None
        if limit_ms is not None and oldest_ms > limit_ms:
            yield f"{name}: {oldest_ms:.0f} ms old audio was played, limit {limit_ms:.0f}"
    if found.player.stats is not None and (connects := found.player.stats["connects"]) < row.connects_min:
        yield f"player: connected {connects} times, expected {row.connects_min} or more"
    if row.lost_max is not None and found.player.stats is not None:
        lost = found.player.stats["frames_concealed"] + found.player.stats["frames_skipped"]
        if lost > row.lost_max:
            yield f"player: {lost} frames concealed or skipped, expected {row.lost_max} at most"
    back_s = back_after(row, found)
    if back_s is None or back_s > row.fresh_within_s:
        after = "never" if back_s is None else f"{back_s:.1f} s after the repair"
        yield f"player: sound was back {after}, limit {row.fresh_within_s:.1f} s"
    heard = heard_share(found.player.samples, found.began_at, found.repaired_at)
    if heard < row.heard_min - ROUNDING:
        yield f"player: {100 * heard:.1f} % heard, expected {100 * row.heard_min:.0f}"
    if found.beside is not None:
        heard = heard_share(found.beside.samples, found.began_at, found.repaired_at)
        if heard < BESIDE_HEARD_MIN:
            yield f"player beside: {100 * heard:.1f} % heard"


def back_after(row: Row, found: Evidence) -> float | None:
    """Seconds from the repair until true sound was back; None where it never was. A card that is gone is played on by
    a stand-in, and the counters go on: there the sound itself tells."""
    return found.card_back_s if row.needs_card else recovery_s(found.player.samples, found.repaired_at)


def _recorder(row: Row, found: Evidence) -> Iterator[str]:
    """A player whose own file is on the full disk has nothing to play to: it says so, ends, and keeps what it had."""
    if (end := found.recorder) is None:
        return
    if end.code != ExitCode.AUDIO_DEVICE:
        yield f"recorder: exit code {end.code}, expected {ExitCode.AUDIO_DEVICE:d}"
    if "Traceback" in end.log:
        yield "recorder: a traceback in its log"
    if found.recorder_frames < STEADY_FRAMES:
        yield f"recorder: {found.recorder_frames} frames are left of what it recorded before the disk was full"


def _memory(found: Evidence) -> Iterator[str]:
    grown = {name: (end.rss, MAX_END_GROWTH) for name, end in _ends(found).items()}
    for name, (rss, limit) in (grown | {"broker": (found.broker_rss, MAX_BROKER_GROWTH)}).items():
        if rss and max(rss) - rss[0] > limit:
            yield f"{name}: memory grew by {(max(rss) - rss[0]) / 2**20:.0f} MiB"
