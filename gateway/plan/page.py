"""A plan as text for people, as one object for machines, and as settings."""

from __future__ import annotations

from typing import Final

from gateway.plan.announcement import Announcement, Price, layers_for_one_frame, price_announcement
from gateway.plan.candidate import LINK_SHARE, Candidate, Delays
from gateway.plan.hop import MAX_LAYERS, gateway_rate
from gateway.plan.planner import UnmetPlanError, count
from gateway.plan.wire_model import Cost
from protocol.transport import BrokerConfig

HOUR_S: Final = 3600
MONTH_S: Final = 30 * 24 * HOUR_S
PLAYER_RECEIVE_MAXIMUM: Final = 4
"""A player's own, where nothing else is set; a test compares."""

Figures = dict[str, object]


def plan_to_text(plan: Candidate) -> str:
    """The page that `gateway plan` prints."""
    wish, shape, profile, delays = plan.wish, plan.shape, plan.profile, plan.delays
    rate = plan.rate
    hour = HOUR_S * rate.total.both
    rows = [
        ("link", f"{_kbps(wish.link_bps)}, round trip {_seconds(wish.rtt_s)}, {100 * wish.assumed_loss:g} % lost"),
        ("carried by", f"MQTT 5 over {'TLS 1.3' if wish.tls else 'TCP'}, IP packets of {wish.wire.mtu} bytes at most"),
        ("", ""),
        ("frames a packet", f"{shape.frames} ({_seconds(shape.packet_s)}, {count(plan.datagrams, 'datagram')})"),
        ("layers", f"{shape.layers} of {MAX_LAYERS}"),
        ("QoS", f"{shape.qos}"),
        ("window", f"{profile.window} packets"),
        ("keep-alive", f"{profile.keepalive_s} s"),
        ("playout delay", f"{profile.playout_delay_ms} ms: {_patience(plan.retries)}"),
        ("audio too old at", f"{profile.max_age_ms} ms"),
        ("", ""),
        ("a player's hop", f"{_both(rate.total)}: {100 * plan.link_share:.1f} % of the link"),
        ("of that", f"{_kbps(8 * rate.tokens.both)} tokens, {_kbps(8 * (rate.total.both - rate.tokens.both))} beside"),
        ("in a pause", f"{_kbps(8 * rate.paused.both)}, with --silence on"),
        ("the gateway's hop", _both(gateway_rate(wish.wire, shape, rtt_s=wish.rtt_s).total, down="up", up="down")),
        ("mouth to ear", _delays(delays)),
        ("bytes of speech", f"{_bytes(hour)} an hour, {_bytes(MONTH_S / HOUR_S * hour)} in 30 days"),
    ]  # fmt: skip
    if wish.budget_bytes is not None:
        hours = wish.budget_bytes / rate.total.both / HOUR_S
        rows.append((f"{_bytes(wish.budget_bytes)} are", f"{hours:.1f} h of speech to one player"))
    if wish.speech_s is not None:
        rows += [("", ""), *_announcement_rows(plan, price_announcement(plan, wish.speech_s))]
    lines = [f"{name:<20}{text}".rstrip() for name, text in rows]
    return "\n".join([*lines, "", *_settings_text(plan)])


def plan_to_dict(plan: Candidate) -> Figures:
    """For machines; `ok` and `exit_code` as in `check`. Bytes and bits of both directions, headers included."""
    wish = plan.wish
    announcement = None if wish.speech_s is None else price_announcement(plan, wish.speech_s)
    return {
        "ok": True,
        "exit_code": 0,
        "link": {
            "bits_per_s": wish.link_bps, "rtt_s": wish.rtt_s, "loss": wish.assumed_loss, "mtu": wish.wire.mtu,
            "tls": wish.tls, "share_allowed": LINK_SHARE,
        },
        "choice": _choice(plan),
        "expected": {
            "down_kbps": _k(8 * plan.rate.total.forth), "up_kbps": _k(8 * plan.rate.total.back),
            "both_kbps": _k(plan.bits_per_s), "tokens_kbps": _k(8 * plan.rate.tokens.both),
            "paused_kbps": _k(8 * plan.rate.paused.both),
            "gateway_kbps": _k(8 * gateway_rate(wish.wire, plan.shape, rtt_s=wish.rtt_s).total.both),
            "link_share": round(plan.link_share, 5), "datagrams_per_packet": plan.datagrams,
            "delay_ms": round(1000 * plan.delays.total),
            "bytes_per_hour": round(plan.rate.total.both * HOUR_S),
            "bytes_per_month": round(plan.rate.total.both * MONTH_S),
            "budget_s": None if wish.budget_bytes is None else round(wish.budget_bytes / plan.rate.total.both),
        },
        "announcement": None if announcement is None else _announcement_dict(announcement),
        "settings": {"gateway": gateway_settings(plan), "edge-player": player_settings(plan)},
    }  # fmt: skip


def unmet_to_dict(error: UnmetPlanError) -> Figures:
    """For machines, where there is no plan."""
    nearest = error.nearest
    return {
        "ok": False,
        "exit_code": int(error.exit_code),
        "failing": error.failing,
        "needed_kbps": None if error.needed_bps is None else _k(error.needed_bps),
        "given_up": None if nearest is None else nearest.given_up,
        "nearest": None if nearest is None else plan_to_dict(nearest.plan),
    }


def gateway_settings(plan: Candidate) -> str:
    """TOML for gateway.toml."""
    profile = plan.profile
    return (
        f'[stream]\nlink = "narrow"\nframes_per_packet = {profile.frames_per_packet}\nqos = {profile.qos}\n'
        f"layers = {plan.shape.layers}\n\n"
        f"[link]\nwindow = {profile.window}\nkeepalive_s = {profile.keepalive_s}\n"
        f"playout_delay_ms = {profile.playout_delay_ms}\nmax_age_ms = {profile.max_age_ms}\n"
        + _section("\n[broker]", _patience_settings(plan))
    )


def player_settings(plan: Candidate) -> str:
    """TOML for edge-player.toml; the rest comes with the stream. Empty where a player's own settings will do."""
    lines = _patience_settings(plan)
    if plan.profile.keepalive_s != BrokerConfig().keepalive:
        lines.append(f"keepalive_s = {plan.profile.keepalive_s}")
    if plan.window > PLAYER_RECEIVE_MAXIMUM:
        lines.append(f"receive_maximum = {plan.window}")
    return _section("[broker]", lines)


def _patience_settings(plan: Candidate) -> list[str]:
    """Where the link needs more patience than the broker's settings have by themselves."""
    usual = BrokerConfig()
    lines = []
    if plan.connect_timeout_s > usual.connect_timeout_s:
        lines.append(f"connect_timeout_s = {plan.connect_timeout_s}")
    if plan.stall_timeout_s > usual.stall_timeout_s:
        lines.append(f"stall_timeout_s = {plan.stall_timeout_s}")
    return lines


def _section(name: str, lines: list[str]) -> str:
    return "\n".join([name, *lines, ""]) if lines else ""


def _settings_text(plan: Candidate) -> list[str]:
    lines = ["# gateway.toml", *gateway_settings(plan).splitlines()]
    if player := player_settings(plan):
        lines += ["", "# edge-player.toml", *player.splitlines()]
    return lines


def _announcement_rows(plan: Candidate, told: Announcement) -> list[tuple[str, str]]:
    rows = [(f"{told.seconds:g} s of speech", f"{told.frames} frames of {count(plan.shape.layers, 'layer')}")]
    rows.append(("in packets", _price(told.packets)))
    rows.append(("in one message", "longer than a message may be" if told.whole is None else _price(told.whole)))
    mtu = plan.wish.mtu
    if mtu is not None and told.bare_frames is not None:
        rows.append((
            "payload alone",
            f"{told.bare_bytes} bytes, {count(told.bare_frames, 'radio frame')} of {mtu}, "
            f"{_seconds(told.bare_airtime_s)} on the air",
        ))  # fmt: skip
        layers = layers_for_one_frame(mtu, told.seconds)
        if told.bare_frames > 1 and layers is not None:
            rows.append(("", f"with {count(layers, 'layer')} it is one radio frame"))
    return rows


def _choice(plan: Candidate) -> Figures:
    profile = plan.profile
    return {
        "frames_per_packet": profile.frames_per_packet, "layers": plan.shape.layers, "qos": profile.qos,
        "window": profile.window, "keepalive_s": profile.keepalive_s, "playout_delay_ms": profile.playout_delay_ms,
        "max_age_ms": profile.max_age_ms, "retransmissions": plan.retries,
    }  # fmt: skip


def _announcement_dict(told: Announcement) -> Figures:
    return {
        "seconds": told.seconds, "frames": told.frames, "packets": _price_dict(told.packets),
        "one_message": None if told.whole is None else _price_dict(told.whole),
        "payload_bytes": told.bare_bytes, "radio_frames": told.bare_frames,
        "payload_airtime_s": round(told.bare_airtime_s, 3),
    }  # fmt: skip


def _price_dict(price: Price) -> Figures:
    return {
        "messages": price.messages, "wire_bytes": price.wire_bytes, "datagrams": price.datagrams,
        "airtime_s": round(price.airtime_s, 3),
    }  # fmt: skip


def _price(price: Price) -> str:
    return (
        f"{count(price.messages, 'message')}, {count(price.datagrams, 'datagram')}, {price.wire_bytes} bytes "
        f"both ways, {_seconds(price.airtime_s)} on the air"
    )


def _delays(delays: Delays) -> str:
    parts = (
        f"{name} {_seconds(seconds)}"
        for name, seconds in (
            ("packing", delays.packing),
            ("codec", delays.codec),
            ("sending", delays.sending),
            ("network", delays.network),
            ("playout", delays.playout),
        )
    )
    return f"{_seconds(delays.total)}: {', '.join(parts)}"


def _patience(retries: int) -> str:
    return (
        "nothing is lost, so nothing is waited for" if retries == 0 else f"a packet may be sent again {_times(retries)}"
    )


def _times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


def _both(rate: Cost, *, down: str = "down", up: str = "up") -> str:
    return f"{_kbps(8 * rate.both)} ({8 * rate.forth / 1000:.2f} {down}, {8 * rate.back / 1000:.2f} {up})"


def _kbps(bits_per_s: float) -> str:
    return f"{bits_per_s / 1e6:.4g} Mbit/s" if bits_per_s >= 1e6 else f"{bits_per_s / 1000:.4g} kbit/s"


def _k(bits_per_s: float) -> float:
    return round(bits_per_s / 1000, 4)


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"


def _bytes(number: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.0f} bytes"
