"""What the whole suite shares. Helpers of one package stand in that package's own conftest.py."""

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.room.sound_server import NEEDS, SoundServer, missing_programs
from tests.exports import SMALL_CODECS, Exports

REPOSITORY = Path(__file__).resolve().parent.parent
REAL_PARTS = ("broker", "audio", "oracle")
"""Marks of tests that need something beside .venv: Mosquitto, PulseAudio, PortAudio, the official Qwen3 package."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """More time for the tests that may have to wait for an export: whichever asks first, if it comes early."""
    for item in items:
        if SMALL_CODECS.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.timeout(600))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where CI=true a part that is missing fails the test: a build machine that skips proves nothing."""
    report = yield
    skipped = report.skipped and not hasattr(report, "wasxfail")
    if skipped and os.environ.get("CI") == "true" and any(item.get_closest_marker(mark) for mark in REAL_PARTS):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"may not be skipped where CI=true: {reason}"
    return report


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of this checkout."""
    return REPOSITORY


@pytest.fixture(scope="session", autouse=True)
def _checkout_first_on_the_path_of_child_processes() -> None:
    """`python -m gateway` in a child must mean this checkout, from whatever folder the child starts in."""
    inherited = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(REPOSITORY) if not inherited else f"{REPOSITORY}{os.pathsep}{inherited}"


@pytest.fixture(scope="session", autouse=True)
def _child_processes_keep_what_they_compile() -> None:
    """Hundreds of commands are started: to compile our modules each time is a sixth of what a short one takes."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A command run inside a test logs to that test's standard error, which is closed after it."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in [other for other in root.handlers if other not in handlers]:
        if handler.get_name():  # ours has a name, pytest's own come and go by themselves
            root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture(autouse=True)
def _no_settings_from_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own VOXWIRE_* settings must not decide whether a test passes."""
    for name in [name for name in os.environ if name.startswith("VOXWIRE_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def small_qwen3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of released weights of qwen3-12hz: narrow, random, and every tensor heard."""
    from codec.models.qwen3.lively import save_lively, small_document  # torch: for those alone who ask for it

    return save_lively(small_document(), tmp_path_factory.mktemp("small-qwen3"))


@pytest.fixture(scope="session", autouse=True)
def _exports(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    _checkout_first_on_the_path_of_child_processes: None,
) -> Iterator[Exports | None]:
    """Begun with the first test where any test of this run will ask for them."""
    wanted = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    codecs = [codec for fixture, codec in SMALL_CODECS.items() if fixture in wanted]
    if not codecs:
        yield None
        return
    weights: Path = request.getfixturevalue("small_qwen3")
    with Exports(codecs, tmp_path_factory.mktemp("exports"), qwen3=weights) as exports:
        yield exports


@pytest.fixture(scope="session")
def small_qwen3_onnx(_exports: Exports) -> Path:
    """A folder with encoder.onnx and decoder.onnx of `small_qwen3`."""
    return _exports.of(SMALL_CODECS["small_qwen3_onnx"])


@pytest.fixture(scope="session")
def small_nano_onnx(_exports: Exports) -> Path:
    """The same of `tests.small_nano`."""
    return _exports.of(SMALL_CODECS["small_nano_onnx"])


@dataclass(frozen=True, slots=True)
class VirtualSoundCard:
    """A loudspeaker that nobody hears, and a microphone that hears it and nothing else.

    `environ` is for child processes: PortAudio reads it once, when it starts, so this process is no place for it.
    `server`: the PulseAudio behind it, to plug in more cards or to pull one out.
    """

    environ: dict[str, str]
    sink: str
    monitor: str
    server: SoundServer


@pytest.fixture(scope="session")
def sound_server_programs() -> None:
    """Skips where PulseAudio's packages are missing."""
    missing = missing_programs()
    if missing:
        pytest.skip(f"no {', '.join(missing)}: {NEEDS}")


@pytest.fixture(scope="session")
def virtual_sound_card(
    tmp_path_factory: pytest.TempPathFactory, sound_server_programs: None
) -> Iterator[VirtualSoundCard]:
    """PulseAudio of our own with a null sink, behind ALSA's default device; skips where its packages are missing."""
    with SoundServer(tmp_path_factory.mktemp("sound"), alsa_devices="pcm.!default { type pulse }") as server:
        # norewinds: it works 50 ms at a time, like a card, and not two seconds.
        server.load("module-null-sink", sink_name="speaker", rate=48000, norewinds=1)
        environ = {**server.environ, "PULSE_SINK": "speaker", "PULSE_SOURCE": "speaker.monitor"}
        yield VirtualSoundCard(environ=environ, sink="speaker", monitor="speaker.monitor", server=server)
