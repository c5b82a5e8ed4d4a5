"""The voice activity detector, for the tests that need the real one."""

from __future__ import annotations

import importlib.util
import os

import pytest

detector = pytest.mark.skipif(
    importlib.util.find_spec("webrtcvad") is None and os.environ.get("CI") != "true",
    reason="webrtcvad-wheels is not installed",
)
