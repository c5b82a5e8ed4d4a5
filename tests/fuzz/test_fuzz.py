"""The short form of `make fuzz`, in the suite; and that the harness finds what it is for."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.fuzz import __main__ as command
from tests.fuzz import processes, runner
from tests.fuzz.byte_cases import ByteCases
from tests.fuzz.runner import run_cases
from tests.fuzz.target import Target
from tests.fuzz.targets import all_targets

SEED = 7
NAMES = [
    "packet", "coded packet", "entropy tables", "manifest", "event", "status", "topic", "player intake",
    "gateway.toml", "gateway environment", "player.toml", "player environment", "token file .vwt", "token file .npz",
    "cache header", "cache entry", "model metadata", "token file .pt",
]  # fmt: skip


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Target]:
    return {target.name: target for target in all_targets(tmp_path_factory.mktemp("fuzz"))}


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """What the parsers say of bad cases."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def test_every_parser_is_tried(targets: dict[str, Target]) -> None:
    assert list(targets) == NAMES
    assert sum(target.share for target in targets.values()) == 1000


@pytest.mark.parametrize("name", NAMES)
def test_every_case_is_parsed_within_limits_or_refused_as_documented(name: str, targets: dict[str, Target]) -> None:
    target = targets[name]
    tally = run_cases(target, range(target.short), seed=SEED)
    assert not tally.escapes, [(escape.number, escape.why) for escape in tally.escapes]
    assert tally.accepted > 0, "cases that are all refused at the door prove nothing about what is behind it"
    assert tally.refused > 0 or not target.refuses


def test_a_case_is_the_same_whatever_ran_before(targets: dict[str, Target]) -> None:
    target = targets["manifest"]
    first = [target.case(SEED, number) for number in range(20)]
    assert [target.case(SEED, number) for number in reversed(range(20))] == first[::-1]
    assert [target.case(SEED + 1, number) for number in range(20)] != first


def _broken(case: bytes) -> None:
    if case.startswith(b"\x07"):
        raise KeyError("not documented")
    raise ValueError("documented")


def _any_byte(random: Random) -> bytes:
    return random.randbytes(4)


def test_an_error_that_is_not_documented_has_escaped() -> None:
    target = Target("broken", 1, 1, _any_byte, _broken, (ValueError,))
    tally = run_cases(target, range(4000), seed=SEED)
    assert len(tally.escapes) == 5
    assert {escape.case[0] for escape in tally.escapes} == {7}
    assert "KeyError" in tally.escapes[0].why
    assert target.case(SEED, tally.escapes[0].number) == tally.escapes[0].case


def test_a_case_that_takes_long_or_much_memory_has_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[bytes] = []
    greedy = Target("greedy", 1, 1, ByteCases([b"a"]), lambda case: held.append(bytes(2**20)), ())
    assert "kB of memory" in run_cases(greedy, [0], seed=SEED).escapes[0].why
    monkeypatch.setattr(runner, "SLOWEST_S", 0.0)
    slow = Target("slow", 1, 1, ByteCases([b"a"]), lambda case: time.sleep(0.001), ())
    assert "more than 0" in run_cases(slow, [0], seed=SEED).escapes[0].why


def test_an_escape_is_written_to_a_file_and_said_how_to_run_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    escaped = runner.Tally("topic", cases=4, refused=3, escapes=[runner.Escape(3, b"a/b", "KeyError: x")])
    monkeypatch.setattr(command, "run_apart", lambda name, cases, seed: escaped)
    assert command.main(["--parser", "topic", "--cases", "4", "--out", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert (tmp_path / "topic-1-3.bin").read_bytes() == b"a/b"
    assert f"--parser 'topic' --case {tmp_path / 'topic-1-3.bin'}" in printed
    assert printed.splitlines()[-1].startswith("fuzz: 4 cases, 1 parsers, seed 1, 0 accepted, 3 refused, 1 escaped")
    assert command.main(["--parser", "topic", "--case", str(tmp_path / "topic-1-3.bin")]) == 0
    assert "topic: refused" in capsys.readouterr().out


@pytest.mark.slow
def test_a_parser_in_a_process_of_its_own_gives_the_same_figures(targets: dict[str, Target]) -> None:
    apart = processes.run_apart("topic", 300, SEED)
    here = run_cases(targets["topic"], range(300), seed=SEED)
    assert (apart.cases, apart.accepted, apart.refused) == (here.cases, here.accepted, here.refused)
    assert processes.case_of("topic", 5, SEED) == targets["topic"].case(SEED, 5)
