"""Tables and percentiles of the benchmarks."""

from __future__ import annotations

import pytest

from benchmarks.harness import markdown_table, median, percentile


def test_median_and_percentile_are_values_that_occurred() -> None:
    values = [5.0, 1.0, 9.0, 3.0, 7.0]
    assert median(values) == 5.0
    assert percentile(values, 95) == 9.0
    assert percentile(values, 0) == 1.0


def test_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


def test_table_has_texts_to_the_left_and_numbers_to_the_right() -> None:
    table = markdown_table([{"half": "encode", "ms": 1.23456}, {"half": "d", "ms": None}])
    assert table.splitlines() == [
        "| half   |    ms |",
        "|--------|------:|",
        "| encode | 1.235 |",
        "| d      |     - |",
    ]
