"""The demo over several profiles: each once, in its own folder, and one table."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.demo import DemoFigures, DemoOptions, DemoReport, compare_links
from gateway.demo.options import LinkName


def pretended(options: DemoOptions, *, stop: threading.Event, progress: bool) -> DemoReport:
    """A run that costs 4 kbit/s down for each letter of its link."""
    figures = DemoFigures(
        290, 290, 290, 289, 1, 0, 4.0 * len(options.link), 1.0, 98.4, 1650.0, 1670.0, 0.02, 0.03, None, "amqtt", "nano"
    )
    return DemoReport(figures, options.out / "result.wav", None, options.link, 23.1)


def test_each_profile_is_run_once_and_keeps_its_results_apart(tmp_path: Path) -> None:
    asked: list[tuple[LinkName, Path]] = []

    def note(options: DemoOptions, *, stop: threading.Event, progress: bool) -> DemoReport:
        asked.append((options.link, options.out))
        return pretended(options, stop=stop, progress=progress)

    found = compare_links(DemoOptions(out=tmp_path), ["lan", "narrow"], stop=threading.Event(), run=note)
    assert asked == [("lan", tmp_path / "lan"), ("narrow", tmp_path / "narrow")]
    assert [report.link for report in found.reports] == ["lan", "narrow"]


def test_the_table_has_a_line_for_each_profile_and_the_json_an_object(tmp_path: Path) -> None:
    found = compare_links(DemoOptions(out=tmp_path), ["lan", "narrow"], stop=threading.Event(), run=pretended)
    head, lan, narrow, *_ = found.to_text().splitlines()
    assert head.split()[:4] == ["link", "kbit/s", "down", "up"]
    assert lan.split()[:4] == ["lan", "13.00", "12.00", "1.00"]
    assert narrow.split()[-4:] == ["1", "of", "290", "-"]
    values = json.loads(found.to_json())
    assert [(each["link"], each["wire_down_kbps"]) for each in values] == [("lan", 12.0), ("narrow", 24.0)]


def test_a_profile_that_there_is_not_is_named_beside_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["demo", "--link", "lan,moon"])
    assert ended.value.code == 2
    assert "expected some of lan, wan, narrow, or all; got 'moon'" in capsys.readouterr().err
