from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.demo.processes import ChildProcess, wait_for
from gateway.errors import DemoError


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], ChildProcess]:
    """Runs a few lines of Python as a child named so: `child(name, lines)`."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def make(name: str, lines: str) -> ChildProcess:
        module = f"child_{name}"
        (tmp_path / f"{module}.py").write_text(lines)
        return ChildProcess(name, module, [], log=tmp_path / f"{name}.log")

    return make


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


SLEEPER = "import time\ntime.sleep(60)\n"


def test_a_child_that_ends_well_is_waited_for(child: Callable[[str, str], ChildProcess]) -> None:
    with child("player", "print('done')") as process:
        wait_for(process, others=[], timeout_s=20.0, stop=threading.Event())
        assert process.poll() == 0


def test_the_error_of_a_child_is_told_in_its_own_words(child: Callable[[str, str], ChildProcess]) -> None:
    lines = "import sys\nprint('error: no such stream', file=sys.stderr)\nsys.exit(66)\n"
    expected = "The player failed: no such stream"
    with child("player", lines) as process, pytest.raises(DemoError, match=expected) as caught:
        wait_for(process, others=[], timeout_s=20.0, stop=threading.Event())
    assert caught.value.exit_code == 66


def test_a_child_that_fails_ends_the_wait_for_another(child: Callable[[str, str], ChildProcess]) -> None:
    with child("gateway", SLEEPER) as gateway, child("player", "import sys\nsys.exit(9)\n") as player:
        with pytest.raises(DemoError, match="The player failed: it ended with exit code 9"):
            wait_for(gateway, others=[player], timeout_s=20.0, stop=threading.Event())
        pid = gateway.pid
    assert not is_running(pid)


def test_a_child_is_ended_with_the_block_even_if_it_ignores_sigterm(
    child: Callable[[str, str], ChildProcess], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("gateway.demo.processes._STOP_S", 0.2)
    lines = f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready', flush=True)\n{SLEEPER}"
    with child("deaf", lines) as process:
        pid = process.pid
        while "ready" not in (tmp_path / "deaf.log").read_text():
            time.sleep(0.01)
    assert not is_running(pid)


def test_a_stop_ends_the_wait(child: Callable[[str, str], ChildProcess]) -> None:
    stop = threading.Event()
    stop.set()
    with child("gateway", SLEEPER) as process, pytest.raises(DemoError, match="Stopped before the end"):
        wait_for(process, others=[], timeout_s=20.0, stop=stop)


def test_a_child_that_takes_too_long_is_named(child: Callable[[str, str], ChildProcess]) -> None:
    with child("gateway", SLEEPER) as process, pytest.raises(DemoError, match="The gateway did not end within 0 s"):
        wait_for(process, others=[], timeout_s=0.0, stop=threading.Event())
