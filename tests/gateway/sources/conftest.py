"""Fixtures for sources on the network."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gateway.sources.web_server import WebServer, encoded


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """A web server of its own for one test."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with WebServer() as server:
        yield server


@pytest.fixture(scope="session")
def mp3() -> bytes:
    """Four seconds of tone, 8000 bytes a second."""
    return encoded(4.0, container="mp3", codec="libmp3lame")
