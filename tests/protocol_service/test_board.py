"""What this machine brings, in words."""

from __future__ import annotations

import importlib.metadata

import pytest

from protocol.service import engine_finding, speed_finding, time_frames


def install(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    def version(name: str) -> str:
        if name in names:
            return "1.2.3"
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", version)


def test_one_engine_is_named_with_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "onnxruntime-gpu")
    assert (engine_finding().verdict, engine_finding().detail) == ("ok", "onnxruntime-gpu 1.2.3")


def test_both_engines_at_once_are_a_warning_that_says_what_to_uninstall(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "onnxruntime", "onnxruntime-gpu")
    found = engine_finding()
    assert found.verdict == "warning"
    assert "both installed" in found.detail
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in str(found.remedy)


def test_no_engine_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    assert engine_finding().verdict == "note"
    assert "voxwire[cpu]" in str(engine_finding().remedy)


@pytest.mark.parametrize(
    ("frame_s", "verdict", "words", "exit_code"),
    [
        (0.002, "ok", "40 times faster than real time", 0),
        (0.05, "warning", "just fast enough", 0),
        (0.1, "failed", "too slow for real time", 1),
    ],
)
def test_speed_is_judged_against_the_time_that_a_frame_lasts(
    frame_s: float, verdict: str, words: str, exit_code: int
) -> None:
    found = speed_finding([frame_s] * 20, 0.08, remedy="buy a faster board")
    assert (found.verdict, found.exit_code) == (verdict, exit_code)
    assert words in found.detail
    assert found.figures["real_time_factor"] == pytest.approx(frame_s / 0.08, abs=1e-4)
    assert found.remedy == (None if verdict == "ok" else "buy a faster board")


def test_a_board_that_is_fast_on_average_and_slow_now_and_then_is_slow() -> None:
    found = speed_finding([0.001] * 9 + [0.2], 0.08, remedy="")
    assert found.verdict == "failed"


def test_timing_ends_early_where_frames_take_long() -> None:
    now = 0.0

    def step() -> None:
        nonlocal now
        now += 1.25

    assert time_frames(step, clock=lambda: now) == [1.25, 1.25, 1.25]


def test_timing_takes_no_more_frames_than_it_needs() -> None:
    calls: list[None] = []
    assert len(time_frames(lambda: calls.append(None), clock=lambda: 0.0)) == len(calls) == 50
