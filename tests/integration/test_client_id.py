"""Two gateways with one client id, as processes."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.demo.broker import RunningBroker
from protocol.service import ExitCode
from tests.integration.watcher import TOPICS, Watcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.nano_path import Start

pytestmark = pytest.mark.broker

END_S = 40.0
ALONE_PACKETS = 5
"""Two seconds of sound over the link profile that is used where none is named."""


def errors(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("error:")]


def test_one_of_two_gateways_with_one_client_id_says_so_and_leaves_and_the_other_streams_on(
    start: Start, mosquitto: RunningBroker, watcher: Watcher, toy_codec: Path, hum: Callable[[float], Path]
) -> None:
    source = str(hum(60.0))
    common = ["run", "--source", source, "--broker", mosquitto.url, "--id", "twin", "--model", str(toy_codec)]
    gateways = [start("gateway", *common, "--stream", f"twin-{number}") for number in range(2)]
    first_out = next_to_end(gateways, END_S)
    _, err = first_out.communicate()
    assert first_out.returncode == ExitCode.CONFIGURATION, err
    (sentence,) = errors(err)
    assert "our client id" in sentence
    assert "--id" in sentence
    assert "Traceback" not in err
    assert err.count("seems to use our client id") <= 2, "said as it happens, and as what we leave for"
    (number,) = [number for number, gateway in enumerate(gateways) if gateway is not first_out]
    survivor, tokens = gateways[number], TOPICS.tokens(f"twin-{number}")
    watcher.rely_on(survivor)
    watcher.wait_for_count(tokens, watcher.count(tokens) + ALONE_PACKETS)
    survivor.terminate()
    _, err = survivor.communicate(timeout=END_S)
    assert survivor.returncode == ExitCode.OK, err
    connects = mosquitto.log_path.read_text().count(" as vw-gateway-twin ")
    assert 2 <= connects <= 12, "neither hammers the other"


def next_to_end(processes: list[subprocess.Popen[str]], timeout_s: float) -> subprocess.Popen[str]:
    """The first of them to end."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        for process in processes:
            if process.poll() is not None:
                return process
        time.sleep(0.05)
    pytest.fail(f"neither of the two had ended after {timeout_s:g} s")
