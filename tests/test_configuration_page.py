"""docs/configuration.md and the sample files have every setting of both ends, as the code has it, and no other."""

from __future__ import annotations

import argparse
import re
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from edge_player.arguments import add_settings as add_player_settings
from edge_player.config import PlayerConfig
from gateway.arguments import add_settings as add_gateway_settings
from gateway.config import GatewayConfig
from protocol.service import load_config
from protocol.service.config_command import flag_names
from protocol.service.settings import describe_kind, list_settings, toml_value

SHARED = "Both ends"
HEADER = ["key", "type", "default", "flag", "environment", "what it does"]


class End(NamedTuple):
    """One program: its title on the page, its settings, its flags, its sample file."""

    title: str
    cls: type[Any]
    parser: argparse.ArgumentParser
    sample: str


def _parser(add_settings: Any) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    add_settings(parser)
    return parser


GATEWAY = End("gateway", GatewayConfig, _parser(add_gateway_settings), "deploy/gateway.toml")
PLAYER = End("edge-player", PlayerConfig, _parser(add_player_settings), "deploy/edge-player.toml")
ENDS = pytest.mark.parametrize("end", [GATEWAY, PLAYER], ids=lambda end: end.title)


def expected_cells(end: End) -> dict[str, list[str]]:
    """By dotted name, all cells of the setting's row but the last, which is prose."""
    flags = flag_names(end.parser)
    return {
        setting.name: [
            f"`{setting.key}`",
            describe_kind(setting.kind),
            f"`{toml_value(setting.default)}`" if setting.default is not None else "none",
            f"`{flags[setting.name]}`" if setting.name in flags else "",
            f"`{setting.variable}`",
        ]
        for setting in list_settings(end.cls)
    }


def tables_of(page: str) -> dict[tuple[str, str], list[list[str]]]:
    """By title and section, the rows of the page's tables."""
    tables: dict[tuple[str, str], list[list[str]]] = {}
    title = section = ""
    for line in page.splitlines():
        if line.startswith("## "):
            title = line.removeprefix("## ")
        elif match := re.fullmatch(r"### `\[(\w+)\]`", line):
            section = match[1]
            tables[title, section] = []
        elif line.startswith("|") and (title, section) in tables:
            tables[title, section].append([cell.strip() for cell in line.strip("|").split(" | ")])
    return tables


@pytest.fixture(scope="module")
def tables(repository: Path) -> dict[tuple[str, str], list[list[str]]]:
    return tables_of((repository / "docs" / "configuration.md").read_text(encoding="utf-8"))


@ENDS
def test_every_key_stands_on_the_page_as_it_is_in_the_code(
    end: End, tables: dict[tuple[str, str], list[list[str]]]
) -> None:
    written = {}
    for (title, section), rows in tables.items():
        if title in (SHARED, end.title):
            assert rows[0] == HEADER, f"{title} [{section}]"
            written.update({f"{section}.{row[0].strip('`')}": row[:-1] for row in rows[2:]})
    expected = expected_cells(end)
    rows_to_write = [
        "| " + " | ".join(cells) + " | … |" for name, cells in expected.items() if written.get(name) != cells
    ]
    assert not rows_to_write, "docs/configuration.md needs these rows:\n" + "\n".join(rows_to_write)
    assert sorted(written.keys() - expected.keys()) == [], "keys on the page that the code does not have"


def test_every_row_says_what_its_key_does(tables: dict[tuple[str, str], list[list[str]]]) -> None:
    bare = [row for rows in tables.values() for row in rows[2:] if len(row) != len(HEADER) or len(row[-1]) < 4]
    assert bare == []


def test_no_table_is_left_over(tables: dict[tuple[str, str], list[list[str]]]) -> None:
    sections = {
        end.title: {setting.section for setting in list_settings(end.cls)} - {"broker"} for end in (GATEWAY, PLAYER)
    }
    expected = {(title, section) for title, names in sections.items() for section in names} | {(SHARED, "broker")}
    assert tables.keys() == expected


@ENDS
def test_the_sample_file_is_valid_as_it_is(end: End, repository: Path) -> None:
    load_config(end.cls, path=repository / end.sample, environ={}, flags={})


@ENDS
def test_the_sample_file_shows_every_key_with_its_default(end: End, repository: Path) -> None:
    """`#key = value` is a default; `#key =` a key that has none."""
    shown: dict[str, object] = {}
    section = ""
    for line in (repository / end.sample).read_text(encoding="utf-8").splitlines():
        if match := re.fullmatch(r"\[(\w+)\]", line):
            section = match[1]
        elif match := re.match(r"(#?)(\w+) =(.*)", line):
            is_default, key, rest = match.groups()
            value = tomllib.loads(f"x = {rest}")["x"] if rest.partition("#")[0].strip() else None
            shown[f"{section}.{key}"] = value if is_default else ...
    defaults = {setting.name: setting.default for setting in list_settings(end.cls)}
    assert shown.keys() == defaults.keys()
    wrong = {name: value for name, value in shown.items() if value is not ... and value != defaults[name]}
    assert wrong == {}, "shown with a default that is not the code's"
