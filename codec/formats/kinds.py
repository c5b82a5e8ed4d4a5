"""Which kind of token file a path is or shall be."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from codec.errors import CodecError, TokenFileError
from codec.formats.vwt import MAGIC

FormatName = Literal["vwt", "pt", "npz", "lmdb"]

FORMATS: tuple[FormatName, ...] = get_args(FormatName)

SUFFIXES: dict[str, FormatName] = {".vwt": "vwt", ".pt": "pt", ".pth": "pt", ".npz": "npz", ".lmdb": "lmdb"}

_LMDB_MAGIC = b"\xde\xc0\xef\xbe"
"""0xBEEFC0DE, little endian, behind the page header of the first page."""

_LMDB_MAGIC_AT = 16
_ZIP_MAGIC = b"PK\x03\x04"
_HEAD_BYTES = 32


def format_by_name(path: Path, asked: str | None = None) -> FormatName:
    """The kind to write: `asked`, else by the ending of `path`, else vwt. Raises CodecError for a kind there is not."""
    if asked is None:
        return SUFFIXES.get(path.suffix.lower(), "vwt")
    for name in FORMATS:
        if name == asked:
            return name
    raise CodecError(f"Unknown format {asked!r} — known are {', '.join(FORMATS)}")


def format_by_content(path: Path) -> FormatName:
    """The kind of an existing file, by its first bytes; the ending decides between the two that are ZIP archives.

    Raises TokenFileError: not there, unreadable, or none of these.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except FileNotFoundError as error:
        raise TokenFileError(f"File not found at {path}") from error
    except OSError as error:
        raise TokenFileError(f"Cannot read {path}: {error.strerror or error}") from error
    named = SUFFIXES.get(path.suffix.lower())
    if head.startswith(MAGIC):
        return "vwt"
    if head[_LMDB_MAGIC_AT : _LMDB_MAGIC_AT + 4] == _LMDB_MAGIC:
        return "lmdb"
    if named in ("pt", "npz") and head:
        return named
    if head.startswith(_ZIP_MAGIC):
        raise TokenFileError(f"{path} may be a .pt or a .npz file: give it that ending")
    raise TokenFileError(f"{path} is not a token file — expected one made by `codec encode` (.vwt, .pt, .npz, .lmdb)")


def is_token_file(path: Path) -> bool:
    """Whether `format_by_content` knows it."""
    try:
        format_by_content(path)
    except TokenFileError:
        return False
    return True
