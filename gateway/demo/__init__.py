"""`gateway demo`: everything at once on one machine, measured."""

from __future__ import annotations

from gateway.demo.comparison import LinkComparison, compare_links
from gateway.demo.options import DemoOptions
from gateway.demo.report import DemoFigures, DemoReport
from gateway.demo.session import run_demo

__all__ = ["DemoFigures", "DemoOptions", "DemoReport", "LinkComparison", "compare_links", "run_demo"]
