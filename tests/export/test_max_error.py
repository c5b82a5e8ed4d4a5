"""`--max-error` on the toy nano, whose layers are quantised by ONNX Runtime's own tool."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from codec.onnx import OnnxDecoder
from export.cli import main

pytestmark = pytest.mark.usefixtures("traced_before")


def run(capsys: pytest.CaptureFixture[str], folder: Path, *flags: str) -> dict[str, Any]:
    arguments = ["decoder", "--precision", "int8", "--reduced-range", *flags, "-o", str(folder), "--json"]
    assert main(arguments) == 0
    (report,) = json.loads(capsys.readouterr().out)
    assert isinstance(report, dict)
    return report


def test_layers_stay_float_until_the_error_is_small_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    every = run(capsys, tmp_path, "--max-error", "inf")
    assert every["float_layers"] == []
    assert every["relative_error"] == every["all_int8_error"] > 0
    limit = 0.7 * every["all_int8_error"]
    some = run(capsys, tmp_path, "--max-error", str(limit))
    assert some["relative_error"] <= limit
    assert some["float_layers"]
    assert some["all_int8_error"] == every["all_int8_error"]
    assert some["snr_db"] > every["snr_db"]
    assert {path.name for path in tmp_path.glob("*.onnx")} == {
        "decoder.int8-all-reduced.onnx",
        "decoder.int8-reduced.onnx",
    }
    assert OnnxDecoder.load(tmp_path / "decoder.int8-reduced.onnx").model.precision == "int8"


def test_all_layers_are_int8_where_the_default_limit_allows_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = run(capsys, tmp_path)
    assert report["relative_error"] <= 0.1
    assert report["float_layers"] == []


def test_a_limit_that_makes_no_sense_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["-o", str(tmp_path / "out")]
    assert main(["decoder", "--max-error", "0.1", *out]) == 2
    assert "--max-error" in capsys.readouterr().err
    for limit in ("0", "-1", "nan"):
        assert main(["decoder", "--precision", "int8", "--max-error", limit, *out]) == 2
        assert "a number above 0, or inf" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.onnx"))
