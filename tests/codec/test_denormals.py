"""Denormals are flushed inside the guard and nowhere else."""

from __future__ import annotations

import platform
import sys

import numpy as np
import pytest

from codec.denormals import DenormalGuard, denormals_flushed

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or platform.machine() not in ("x86_64", "aarch64"),
    reason="the guard knows Linux on x86-64 and 64-bit Arm",
)


def _half_of_a_denormal() -> float:
    return float(np.float32(1e-39) * np.float32(0.5))


def test_the_guard_works_here_and_puts_the_floats_back() -> None:
    assert DenormalGuard().works
    assert _half_of_a_denormal() != 0
    with denormals_flushed():
        inside = _half_of_a_denormal()
    assert inside == 0
    assert _half_of_a_denormal() != 0


def test_guards_nest() -> None:
    with denormals_flushed():
        with denormals_flushed():
            pass
        inside = _half_of_a_denormal()
    assert inside == 0
    assert _half_of_a_denormal() != 0
