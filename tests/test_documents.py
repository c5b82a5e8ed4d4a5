"""The pages agree with the programs: links lead somewhere, commands are commands, exit codes are those of the code."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
from pathlib import Path

import pytest

from protocol.service import ExitCode

PAGES = (
    *("README.md", "CHANGELOG.md", "deploy/mosquitto/README.md"),
    *("docs/architecture.md", "docs/benchmarks.md", "docs/configuration.md", "docs/microphone.md"),
    *("docs/operating.md", "docs/quality.md", "docs/reliability.md", "docs/security.md", "docs/sources.md"),
    "docs/live-encoding.md",
    "docs/qwen3.md",
    "docs/listening/README.md",
    "codec/assets/nano-1/MODEL_CARD.md",
    "codec/assets/nano-1/TRAINING.md",
    "docs/tokenizer.md",
    "docs/tokens.md",
)
PACKAGES = ("protocol", "codec", "export", "gateway", "edge_player")
# The module of each console script whose lines are tried.
COMMANDS = {
    "gateway": "gateway.cli",
    "edge-player": "edge_player.cli",
    "codec": "codec.cli",
    "codec-export": "export.cli",
}


def commands_of(page: str) -> list[list[str]]:
    """Every line of its shell blocks, cut at pipes, that starts one of our commands."""
    found = []
    for block in re.findall(r"```sh\n(.*?)```", page, flags=re.DOTALL):
        for part in re.split(r"[\n|]", block.replace("\\\n", " ")):
            words = shlex.split(part, comments=True)
            while words and "=" in words[0]:
                words.pop(0)  # an environment variable before the command
            if words and words[0] in COMMANDS:
                found.append(words)
    return found


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_to_files_that_exist(repository: Path, name: str) -> None:
    page = repository / name
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("name", PAGES)
def test_commands_on_the_pages_are_understood(repository: Path, name: str) -> None:
    for words in commands_of((repository / name).read_text()):
        parser = importlib.import_module(COMMANDS[words[0]])._parser()
        assert isinstance(parser, argparse.ArgumentParser)
        try:
            parser.parse_args(words[1:])
        except SystemExit as error:
            pytest.fail(f"{name}: {shlex.join(words)} ends with {error.code}")


@pytest.mark.parametrize(
    "name", ["docs/architecture.md", "docs/configuration.md", "docs/operating.md", "docs/security.md"]
)
def test_counters_and_settings_on_the_pages_are_names_in_the_code(repository: Path, name: str) -> None:
    named = set(re.findall(r"`([a-z]+(?:_[a-z0-9]+)+)`", (repository / name).read_text())) - set(PACKAGES)
    sources = (path for package in PACKAGES for path in (repository / package).rglob("*.py"))
    code = "\n".join(path.read_text() for path in sources)
    assert sorted(word for word in named if word not in code and not word.startswith("test_")) == []


def test_tests_on_the_page_of_security_exist(repository: Path) -> None:
    """A page that names the test of each promise is worth what its names are worth."""
    page = (repository / "docs" / "security.md").read_text()
    files = {
        path.relative_to(repository / "tests").as_posix(): path for path in (repository / "tests").rglob("test_*.py")
    }
    named_files = set(re.findall(r"`((?:[a-z_]+/)*test_[a-z0-9_]+\.py)", page))
    named = set(re.findall(r"\btest_[a-z0-9_]+\b(?!\.py)", page))
    code = "\n".join(path.read_text() for path in files.values())
    assert len(named) >= 15
    assert sorted(named_files - files.keys()) == []
    assert sorted(name for name in named if f"def {name}(" not in code) == []


def test_the_start_page_shows_every_command(repository: Path) -> None:
    shown = {words[0] for words in commands_of((repository / "README.md").read_text())}
    assert shown == set(COMMANDS)


def test_exit_codes_on_the_page_are_those_of_the_code(repository: Path) -> None:
    page = (repository / "docs/operating.md").read_text()
    written = {int(code) for code in re.findall(r"^\| (\d+) \|", page, flags=re.MULTILINE)}
    assert written == {int(code) for code in ExitCode}


def test_targets_of_make_on_the_start_page_exist(repository: Path) -> None:
    makefile = (repository / "Makefile").read_text()
    for target in set(re.findall(r"\bmake ([a-z-]+)", (repository / "README.md").read_text())):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), f"make {target}"
