from __future__ import annotations

import argparse

import pytest

from protocol.service import parse_bit_rate, parse_byte_count, parse_share


@pytest.mark.parametrize(
    ("text", "expected"),
    [("8kbps", 8e3), ("8kbit/s", 8e3), ("8 kbit/s", 8e3), ("0.5mbps", 5e5), ("1200bps", 1200), ("1Gbit/s", 1e9)],
)
def test_a_rate_is_read_with_its_unit(text: str, expected: float) -> None:
    assert parse_bit_rate(text) == expected


@pytest.mark.parametrize("text", ["8", "8k", "8kB/s", "8kbytes", "-8kbps", "fast", "", "8kkbps", "1e3bps"])
def test_a_rate_that_could_be_misread_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected a rate such as 1200bps"):
        parse_bit_rate(text)


@pytest.mark.parametrize(
    ("text", "expected"), [("500MB", 5e8), ("2.5kB", 2500), ("1 GB", 1e9), ("64000", 64000), ("12bytes", 12)]
)
def test_a_number_of_bytes_is_read_with_its_unit(text: str, expected: float) -> None:
    assert parse_byte_count(text) == expected


@pytest.mark.parametrize("text", ["500MiB", "much", "-1kB", "3kbit", ""])
def test_what_is_no_number_of_bytes_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected a number of bytes"):
        parse_byte_count(text)


@pytest.mark.parametrize(("text", "expected"), [("2%", 0.02), ("0.02", 0.02), ("0", 0.0), ("2.5 %", 0.025)])
def test_a_share_is_read_in_both_ways(text: str, expected: float) -> None:
    assert parse_share(text) == expected


@pytest.mark.parametrize("text", ["two", "%", "-1%", "2%%"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected a share"):
        parse_share(text)
