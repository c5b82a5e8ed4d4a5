"""All cases through one broker, in real time, batch by batch."""

from __future__ import annotations

import math
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.wire.cases import IDLE, IDLE_TOLD, Case
from benchmarks.wire.flow import Flow, Reading, open_flow
from benchmarks.wire.network import read_device
from benchmarks.wire.speech import STEP_S, Speech
from gateway.demo.broker import RunningBroker, TlsFiles, start_broker
from protocol.transport import WireCounters

SETTLE_S: Final = 5.0
"""Connect, subscribe, and the first packets: over before anything is counted."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A case with what the kernel counted of it in so many seconds of sound."""

    case: Case
    seconds: float
    before: Reading
    after: Reading

    @property
    def player(self) -> WireCounters:
        """Of the player's hop."""
        return self.after.player - self.before.player

    @property
    def gateway(self) -> WireCounters:
        """Of the gateway's hop."""
        return self.after.gateway - self.before.gateway


@dataclass(frozen=True, slots=True)
class Agreement:
    """The same bytes counted twice: by all sockets together, and by the device that they went through."""

    sockets: int
    device: int


@dataclass(frozen=True, slots=True)
class Brokers:
    """One Mosquitto in the clear and one with TLS; certificate: what to trust for the latter."""

    plain: RunningBroker
    secure: RunningBroker
    certificate: Path


@contextmanager
def start_brokers(folder: Path) -> Iterator[Brokers]:
    """Both of them, with a certificate made for the occasion. DemoError where Mosquitto is not installed."""
    certificate, key = folder / "broker.crt", folder / "broker.key"
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    request += ["-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*request, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    with (
        start_broker(folder / "plain", prefer="mosquitto") as plain,
        start_broker(folder / "secure", prefer="mosquitto", tls=TlsFiles(certificate, key)) as secure,
    ):
        yield Brokers(plain, secure, certificate)


def measure_batch(
    cases: Sequence[Case], speech: Speech, brokers: Brokers, *, seconds: float, number_from: int
) -> tuple[list[Measured], Agreement]:
    """All of `cases` at the same time, each with connections of its own."""
    with ExitStack() as stack:
        flows = [
            stack.enter_context(
                open_flow(
                    case,
                    number_from + place,
                    speech,
                    url=(brokers.secure if case.tls else brokers.plain).url,
                    ca_file=brokers.certificate if case.tls else None,
                )
            )
            for place, case in enumerate(cases)
        ]
        counted_from = time.monotonic() + SETTLE_S
        _set_phases(flows, counted_from)
        _run(flows, counted_from)
        before, device = [Reading.of(flow) for flow in flows], read_device()
        _run(flows, counted_from + seconds)
        after, passed = [Reading.of(flow) for flow in flows], read_device() - device
    rows = [Measured(flow.case, seconds, *both) for flow, *both in zip(flows, before, after, strict=True)]
    for row in rows:
        _check_whole(row)
    hops = [counters for row in rows for counters in (row.player, row.gateway)]
    return rows, Agreement(sum(hop.ip_bytes_in + hop.ip_bytes_out for hop in hops), passed.ip_bytes)


def _set_phases(flows: Sequence[Flow], counted_from: float) -> None:
    """When each sends first. None sends near the moment from which all are counted: its answers would be cut off."""
    now = time.monotonic()
    for place, flow in enumerate(flows):
        phase = 0.25 + 0.5 * place / len(flows)
        flow.next_at = counted_from + flow.every_s * (phase - math.floor((counted_from - now) / flow.every_s + phase))
        flow.report_at = flow.next_at


def _run(flows: Sequence[Flow], end: float) -> None:
    """Send in real time: a packet is due when its last frame is."""
    while True:
        flow = min(flows, key=lambda candidate: candidate.next_at)
        time.sleep(max(0.0, min(flow.next_at, end) - time.monotonic()))
        if flow.next_at >= end:
            return
        flow.send()
        flow.next_at += flow.every_s


def _check_whole(row: Measured) -> None:
    """SystemExit where packets are missing: the link, not the size, was measured."""
    case, sent, received = row.case, row.after.sent - row.before.sent, row.after.received - row.before.received
    expected = 0 if case.what in (IDLE, IDLE_TOLD) else round(row.seconds / (case.frames * STEP_S))
    # One may be under way at either end of a window, of those that come every 80 ms.
    if case.frames and (abs(sent - expected) > 1 or abs(received - expected) > 2):
        raise SystemExit(f"{case}: {expected} packets were due, {sent} sent, {received} received")
