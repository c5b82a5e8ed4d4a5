"""One site for all the tests that leave it as it was, and certificates that a stranger would try."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deploy.site import Site, make_site

MEMBERS = (
    "gateway gw-lobby lobby",
    "gateway gw-yard yard",
    "player edge-1",
    "player edge-2",
    "player edge-yard yard",
    "operator anna",
    "monitor watch",
    "player edge-word --password",
    "gateway gw-word word --password",
)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The site with `MEMBERS`, running."""
    with make_site(tmp_path_factory.mktemp("site"), *MEMBERS) as running:
        running.start()
        yield running
