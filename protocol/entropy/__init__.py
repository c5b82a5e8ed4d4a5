"""Fewer bits for codes that are likelier than others: static tables, learned beforehand, and a range coder.

Integers only, so that every machine reads what any other wrote; every packet stands for itself. SPEC.md, section 10,
describes it for other implementations.
"""

from __future__ import annotations

from protocol.entropy.codes import CodesCoder
from protocol.entropy.finding import TABLES_NAME, find_tables
from protocol.entropy.tables import EntropyTables, LayerTable, Parent, decode_tables, encode_tables, fingerprint
from protocol.entropy.weights import MAX_TOTAL, WEIGHTS, quantised_row

__all__ = [
    "MAX_TOTAL",
    "TABLES_NAME",
    "WEIGHTS",
    "CodesCoder",
    "EntropyTables",
    "LayerTable",
    "Parent",
    "decode_tables",
    "encode_tables",
    "find_tables",
    "fingerprint",
    "quantised_row",
]
