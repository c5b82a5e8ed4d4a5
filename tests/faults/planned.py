"""A plan carried out: both ends with the settings that it printed, over a link as slow and as far as it was made for.

`python -m tests.faults.planned NAME --seconds 34` prints one JSON object, a `Trial`; it must be run in a network
namespace of its own: `unshare --user --map-root-user --net --mount python -m …`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from gateway.plan.candidate import Candidate
from gateway.plan.hop import player_rate
from gateway.plan.page import gateway_settings, player_settings
from gateway.plan.planner import make_plan
from gateway.plan.wish import Wish
from protocol.status import StatusMessage
from tests.faults.broker import FAR_PORT, FaultyBroker
from tests.faults.end import End, Stats
from tests.faults.impairment import Impairment, Spell
from tests.faults.tones import OWN_CYCLES, write_tone
from tests.faults.tun import NEAR_ADDRESS, TunLink
from tests.integration.toy_codec import save_toy_codec
from tests.integration.watcher import TOPICS, Watcher

WISHES: Final[Mapping[str, Wish]] = MappingProxyType(
    {
        "lan": Wish(10e6, 0.002),
        "wan": Wish(64e3, 0.3, frames=5),
        "narrow": Wish(8e3, 0.6, frames=25, tls=True),
    }
)
"""One frame at QoS 0; five at QoS 1; twenty-five at QoS 1 over TLS."""

STREAM: Final = "lobby"
END_S: Final = 30.0
_FOR_EVER_S: Final = 1e9


@dataclass(frozen=True, slots=True)
class Trial:
    """Both directions of the player's hop, IP bytes, from the first packet to the last but one, in `seconds`."""

    name: str
    seconds: float
    measured_kbps: float
    predicted_kbps: float
    """Tokens, clock reports and pings. Without what is refreshed each minute or less often, unless the trial lasts
    longer than that."""
    delay_ms: float
    """Half the packets were heard so long after they were captured."""
    predicted_delay_ms: float
    frames_sent: int
    frames_played: int

    @property
    def error(self) -> float:
        """Of the prediction, as a share of what was measured."""
        return self.predicted_kbps / self.measured_kbps - 1


def carry_out(name: str, wish: Wish, *, seconds: float, folder: Path) -> Trial:
    """Speech for so long. OSError where there may be no network namespaces."""
    plan = make_plan(wish)
    with ExitStack() as stack:
        link = Impairment(delay_ms=500 * wish.rtt_s, rate_kbps=wish.link_bps / 1000)
        tun = stack.enter_context(TunLink([Spell(-_FOR_EVER_S * 10, _FOR_EVER_S, link)], seed=1))
        broker = FaultyBroker(folder, NEAR_ADDRESS, way="tls" if wish.tls else "mqtt")
        stack.callback(broker.close)
        watcher = stack.enter_context(Watcher(broker.url))
        far = ["--broker", broker.far_url(NEAR_ADDRESS, FAR_PORT), *broker.far_options]
        model = folder / "toy"  # nano's numbers and none of its work, so that three trials go beside each other
        model.mkdir()
        save_toy_codec(model)
        far += ["--model", str(model / "decoder.onnx")]
        player = _end(stack, "edge_player", folder, player_settings(plan), far, before=tun.far_command)
        tone = write_tone(folder / "tone.wav", OWN_CYCLES)
        sound = ["--source", str(tone), "--loop", "--for", f"{seconds:g}s", "--start-delay", "500ms"]
        gateway = _end(
            stack, "gateway", folder, gateway_settings(plan), ["--broker", broker.url, "--model", str(model), *sound]
        )
        player.start()
        watcher.wait_for_status(TOPICS.edge_status("edge-player"), _is_waiting, "the player")
        gateway.start()
        for end in (gateway, player):
            assert end.wait(seconds + END_S) == 0, end.log
        return _trial(name, plan, gateway.stats(), player.stats())


def _end(
    stack: ExitStack, module: str, folder: Path, settings: str, arguments: list[str], *, before: list[str] | None = None
) -> End:
    config = folder / f"{module}.toml"
    config.write_text(settings)
    own = ["--out", "null", "--wait", "--exit-on-stop"] if module == "edge_player" else []
    arguments = ["--config", str(config), "--stream", STREAM, *arguments, *own]
    end = End(module, module.replace("_", "-"), arguments, folder=folder, before=before or [])
    stack.callback(end.close)
    return end


def _is_waiting(status: StatusMessage) -> bool:
    return status.state == "waiting"


def _trial(name: str, plan: Candidate, sent: Stats, heard: Stats) -> Trial:
    rate = player_rate(plan.wish.wire, plan.shape, rtt_s=plan.wish.rtt_s, first_frame=heard["frames_due"])
    seconds = heard["wire_seconds"]
    expected = rate.total if seconds > 120 else rate.speech + rate.pings
    return Trial(
        name,
        seconds,
        8e-3 * (heard["wire_ip_bytes_in"] + heard["wire_ip_bytes_out"]) / seconds,
        8e-3 * expected.both,
        heard["latency_ms_p50"],
        1000 * plan.delays.total,
        sent["frames_published"],
        heard["frames_played"],
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.planned", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", choices=list(WISHES))
    parser.add_argument("--seconds", type=float, default=34.0, help="of speech (default: %(default)s)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="voxwire-planned-") as folder:
        began = time.monotonic()
        trial = carry_out(given.name, WISHES[given.name], seconds=given.seconds, folder=Path(folder))
    print(json.dumps(asdict(trial) | {"error": trial.error, "took_s": round(time.monotonic() - began, 1)}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
