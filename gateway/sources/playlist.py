"""Play lists: M3U, PLS and XSPF, from a disk or behind an address. Bytes to targets; nothing is opened here."""

from __future__ import annotations

import os
import re
import urllib.parse
import xml.etree.ElementTree as ElementTree
from pathlib import Path, PurePosixPath

from codec.audio.web.client import is_address, shown
from gateway.errors import SourceError

__all__ = ["LIST_SUFFIXES", "MAX_LIST_BYTES", "is_hls", "is_list", "local_targets", "parse_list", "remote_targets"]

LIST_SUFFIXES = frozenset({".m3u", ".m3u8", ".pls", ".xspf"})
MAX_LIST_BYTES = 1 << 20
MAX_ENTRIES = 10_000
MAX_DEPTH = 4
"""Lists within lists. Deeper ones, and those that name themselves, are not followed."""

_LIST_TYPES = frozenset(
    {
        "audio/x-mpegurl",
        "audio/mpegurl",
        "application/x-mpegurl",
        "application/mpegurl",
        "application/vnd.apple.mpegurl",
        "audio/x-scpls",
        "application/pls+xml",
        "application/xspf+xml",
    }
)


def is_list(name: str, content_type: str = "") -> bool:
    """Whether a file of this name, or an answer of this type, is a play list."""
    return content_type in _LIST_TYPES or PurePosixPath(name).suffix.lower() in LIST_SUFFIXES


def is_hls(data: bytes) -> bool:
    """Whether it is a list of the pieces of one stream (HTTP Live Streaming), not of things to play in turn."""
    return re.search(rb"^#EXT-X-(TARGETDURATION|STREAM-INF|MEDIA-SEQUENCE)\b", data, re.MULTILINE) is not None


def parse_list(data: bytes, name: str) -> list[str]:
    """What a list names, in its order and as it is written; bytes that are no UTF-8 stay, as os.fsdecode has them.

    The content decides the kind, not the name. Raises SourceError where it names nothing, or is an HLS list.
    """
    data = data.removeprefix(b"\xef\xbb\xbf")
    start = data[:1024].lstrip()
    if is_hls(data):
        raise SourceError(f"{name} is an HLS list, the pieces of one stream. Give the address that it came from.")
    if start.startswith(b"<"):
        entries = _parse_xspf(data, name)
    elif start[:10].lower() == b"[playlist]":
        entries = _parse_pls(data)
    else:
        lines = (line.strip() for line in data.splitlines())
        entries = [os.fsdecode(line) for line in lines if line and not line.startswith(b"#")]
    if not entries or any("\0" in entry for entry in entries):
        raise SourceError(f"{name} names nothing to play, expected an M3U, PLS or XSPF play list.")
    return entries[:MAX_ENTRIES]


def local_targets(path: Path, *, _within: tuple[Path, ...] = ()) -> list[str]:
    """What a list on disk names: paths, relative ones taken from its folder, and addresses. Lists in it are followed.

    Raises SourceError where it cannot be read or names nothing.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_LIST_BYTES)
    except OSError as error:
        raise SourceError(f"Cannot read the play list {path}: {error.strerror or error}.") from error
    within = (*_within, path.resolve())
    targets: list[str] = []
    for entry in parse_list(data, str(path)):
        if is_address(entry) and not entry.lower().startswith("file://"):
            targets.append(entry)
            continue
        found = _find(entry, path.parent)
        if not is_list(found.name):
            targets.append(str(found))
        elif found.resolve() not in within and len(within) < MAX_DEPTH:
            targets.extend(local_targets(found, _within=within))
    return targets[:MAX_ENTRIES]


def remote_targets(data: bytes, address: str) -> list[str]:
    """What a list behind an address names: addresses only, relative ones taken from its own.

    Whoever runs that server has no business with files of this machine: such entries are left out. Raises SourceError
    where nothing is left.
    """
    name = shown(address)
    joined = (urllib.parse.urljoin(address, entry) for entry in parse_list(data, name))
    targets = [target for target in joined if target.lower().startswith(("http://", "https://"))]
    if not targets:
        raise SourceError(f"The play list {name} names no address, expected some that start with http:// or https://.")
    return targets


def _find(entry: str, folder: Path) -> Path:
    """The file an entry means. Lists are written by many programs: the first reading that is there wins."""
    if entry.lower().startswith("file://"):
        return Path(urllib.parse.unquote(urllib.parse.urlsplit(entry).path, errors="surrogateescape"))
    readings = [
        entry,
        urllib.parse.unquote(entry, errors="surrogateescape"),
        os.fsencode(entry).decode("latin-1"),
        entry.replace("\\", "/"),
    ]
    paths = [folder / Path(reading).expanduser() for reading in dict.fromkeys(readings)]
    return next((path for path in paths if path.exists()), paths[0])


def _parse_pls(data: bytes) -> list[str]:
    found = re.findall(rb"^[ \t]*file(\d{1,6})[ \t]*=[ \t]*(.+?)[ \t\r]*$", data, re.MULTILINE | re.IGNORECASE)
    return [os.fsdecode(entry) for _, entry in sorted(found, key=lambda numbered: int(numbered[0]))]


def _parse_xspf(data: bytes, name: str) -> list[str]:
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise SourceError(f"{name} declares XML entities, which no play list needs. It is not read.")
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise SourceError(f"{name} is no play list that can be read: {error}.") from error
    # The namespace differs between programs; the name of the element does not.
    texts = (element.text for element in root.iter() if element.tag.rpartition("}")[2] == "location")
    return [text.strip() for text in texts if text and text.strip()]
