"""A newcomer types what the page says: it works, line by line."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.site import SOURCE, Site
from tests.deploy.visitor import NOT_AUTHORISED, Login, Visitor

pytestmark = pytest.mark.broker


def steps() -> list[str]:
    """The lines of the page's shell blocks that make the site, in order."""
    blocks = re.findall(r"```sh\n(.*?)```", (SOURCE / "README.md").read_text(), flags=re.DOTALL)
    lines = re.sub(r"\\\n\s*", "", "\n".join(blocks)).splitlines()
    return [line for line in lines if "site.sh" in line or line.startswith("openssl req")]


def test_the_steps_of_the_page_make_a_site_that_works(tmp_path: Path) -> None:
    site = Site(tmp_path)
    place = tmp_path / "deploy" / "mosquitto"
    shutil.copytree(SOURCE, place, ignore=shutil.ignore_patterns("site"))  # a developer may have one there
    for step in steps():
        line = step.replace("sudo ./site.sh install", f"./site.sh install {site.root}")
        done = subprocess.run(["sh", "-ec", line], cwd=place, capture_output=True, text=True, check=False, env=ENVIRON)
        assert done.returncode == 0, f"{step}: {done.stderr}"
    members = (place / "site" / "members").read_text()
    assert re.findall(r"^(\w+) (\S+)", members, flags=re.MULTILINE) == [
        ("gateway", "gw-lobby"),
        ("player", "edge-hall"),
        ("operator", "anna"),
        ("monitor", "dashboard"),
        ("player", "edge-old"),
        ("player", "edge-roof"),
    ]
    (place / "site").rename(tmp_path / "site")
    with site:
        site.start()
        # The page's names of the broker are not ours: the test calls it by its address and asks for no name.
        with Visitor(site, Login(site.device("gw-lobby")), check_name=False) as gateway:
            assert gateway.publish("vw/v1/s/lobby/t0") < NOT_AUTHORISED


ENVIRON = {name: value for name, value in os.environ.items() if name != "SITE"}


def test_every_file_is_explained() -> None:
    page = (SOURCE / "README.md").read_text()
    for path in SOURCE.iterdir():
        if path.name in ("README.md", ".gitignore", "site"):
            continue
        assert f"]({path.name}" in page or f"]({path.name}/" in page, path.name


def test_the_figures_of_the_page_are_those_of_the_files() -> None:
    page, settings = (SOURCE / "README.md").read_text(), (SOURCE / "mosquitto.conf").read_text()
    for sentence, line in (
        ("packets of 65 KiB", "max_packet_size 66560"),
        ("200 connections with certificate", "max_connections 200"),
        ("50 with password", "max_connections 50"),
        ("keep-alive at most 60 s", "max_keepalive 60"),
        ("3 messages on the way", "max_inflight_messages 3"),
        ("4 queued", "max_queued_messages 4"),
        ("128 MiB in all", f"memory_limit {128 * 2**20}"),
        ("nothing on disk", "persistence false"),
    ):
        assert sentence in page
        assert f"\n{line}\n" in settings
