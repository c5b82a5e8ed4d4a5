"""A part that is missing skips on a desk and fails on a build machine: what conftest.py promises of CI=true."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

NEEDY = """
import pytest

@pytest.mark.broker
@pytest.mark.skipif(True, reason="no such broker")
def test_of_a_broker():
    pass

@pytest.fixture
def card():
    pytest.skip("no such sound card")

@pytest.mark.audio
def test_of_a_sound_card(card):
    pass

@pytest.fixture
def official():
    pytest.skip("no such package")

@pytest.mark.oracle
def test_of_the_official_package(official):
    pass

@pytest.mark.gpu
def test_of_a_gpu():
    pytest.skip("no such GPU")

@pytest.mark.broker
@pytest.mark.xfail(reason="known", strict=True)
def test_that_is_known_to_fail():
    assert False
"""


@pytest.mark.parametrize(("ci", "expected"), [("true", "1 skipped, 1 xfailed, 3 errors"), ("", "4 skipped, 1 xfailed")])
def test_a_missing_part_skips_at_home_and_fails_where_ci_is_true(
    repository: Path, tmp_path: Path, ci: str, expected: str
) -> None:
    (tmp_path / "test_needy.py").write_text(NEEDY)
    answer = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-c", str(repository / "pyproject.toml"), "--rootdir", str(tmp_path)),
            *("-p", "tests.conftest", "-p", "no:cacheprovider", str(tmp_path)),
        ],
        env={**os.environ, "CI": ci},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert expected in answer.stdout, answer.stdout + answer.stderr
    assert ("may not be skipped where CI=true: Skipped: no such sound card" in answer.stdout) is bool(ci)
