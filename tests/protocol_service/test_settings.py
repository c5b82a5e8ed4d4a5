"""What settings there are, in words, and values as TOML."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.service.settings import REQUIRED, describe_kind, list_settings, toml_value, variable_of


class Link(Enum):
    LAN = "lan"
    WAN = "wan"


@dataclass(frozen=True)
class Broker:
    url: str = "mqtt://localhost"
    password: str | None = field(default=None, repr=False)
    host: str = field(init=False, default="")


@dataclass(frozen=True)
class Settings:
    stream: str
    broker: Broker = field(default_factory=Broker)


def test_every_setting_is_listed_with_its_default_and_nothing_that_is_derived() -> None:
    listed = {setting.name: setting for setting in list_settings(Settings)}
    assert list(listed) == ["stream", "broker.url", "broker.password"]
    assert listed["stream"].default is REQUIRED
    assert (listed["broker.url"].section, listed["broker.url"].key) == ("broker", "url")
    assert listed["broker.url"].default == "mqtt://localhost"


def test_a_field_that_repr_leaves_out_is_a_secret() -> None:
    assert [setting.name for setting in list_settings(Settings) if setting.secret] == ["broker.password"]


def test_the_variable_of_a_setting_is_the_one_that_sets_it() -> None:
    assert variable_of("broker.ca_file") == "VOXWIRE_BROKER__CA_FILE"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (bool, "true or false"),
        (int, "whole number"),
        (float | None, "number or none"),
        (Path | None, "path or none"),
        (Literal["lan", "wan", "narrow"], '"lan", "wan" or "narrow"'),
        (Link, '"lan" or "wan"'),
        (tuple[int, ...], "list of whole numbers"),
    ],
)
def test_types_are_said_in_words(kind: Any, words: str) -> None:
    assert describe_kind(kind) == words


@given(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"])),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.lists(st.integers(0, 64)).map(tuple),
    )
)
def test_what_is_written_as_toml_is_read_back(value: object) -> None:
    written = toml_value(value)
    read = tomllib.loads(f"x = {written}")["x"]
    assert read == (list(value) if isinstance(value, tuple) else value)
    assert type(read) is (list if isinstance(value, tuple) else type(value))


def test_what_toml_cannot_hold_is_not_written() -> None:
    assert toml_value(None) is None
    assert toml_value(Path("talk\udcff.wav")) is None
    assert toml_value(("a", None)) is None
    assert toml_value(Link.LAN) == '"lan"'
