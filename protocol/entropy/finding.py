"""The tables that lie beside a decoder."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from importlib.resources.abc import Traversable
from typing import Final

from protocol.entropy.tables import EntropyTables, decode_tables
from protocol.errors import TablesError

logger = logging.getLogger(__name__)

TABLES_NAME: Final = "entropy.vwe"
"""Of the file, in the folder of the decoder."""


def find_tables(
    folders: Iterable[Traversable], *, weights_sha256: str, num_layers: int, codebook_size: int
) -> EntropyTables | None:
    """The first tables in `folders` that were learned for these weights, or None.

    Tables of other weights are passed over. A file that cannot be read is too, and the log says so: what is not
    entropy-coded plays without it.
    """
    for folder in folders:
        place = folder.joinpath(TABLES_NAME)
        try:
            if not place.is_file():
                continue
            tables = decode_tables(place.read_bytes())
        except (OSError, TablesError) as error:
            logger.warning("the entropy tables at %s cannot be used: %s", place, error)
            continue
        if tables.weights_sha256 != weights_sha256:
            logger.debug("the entropy tables at %s are of other weights", place)
        elif (tables.num_layers, tables.codebook_size) != (num_layers, codebook_size):
            logger.warning("the entropy tables at %s have another number of layers or of codes", place)
        else:
            return tables
    return None
