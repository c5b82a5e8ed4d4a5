"""The errors of the export package.

ExportError                     base; exit code 1
├── VariantError                there is no such form of a file; exit code 2
├── ParityError                 the file does not compute what torch computes; exit code 76
└── FidelityError               an int8 or float16 file is broken, not only less exact; exit code 76
"""

from __future__ import annotations

from typing import ClassVar


class ExportError(Exception):
    """Base of every error this package raises on purpose."""

    exit_code: ClassVar[int] = 1


class VariantError(ExportError):
    """The options ask for what does not exist."""

    exit_code: ClassVar[int] = 2


class ParityError(ExportError):
    """ONNX Runtime and torch disagree by more than the tolerance; `report` has the figures."""

    exit_code: ClassVar[int] = 76

    def __init__(self, message: str, *, max_abs_diff: float, tolerance: float) -> None:
        super().__init__(message)
        self.max_abs_diff = max_abs_diff
        self.tolerance = tolerance


class FidelityError(ExportError):
    """A variant of lower precision is broken: NaN, silence or garbage."""

    exit_code: ClassVar[int] = 76

    def __init__(self, message: str, *, snr_db: float, floor_db: float) -> None:
        super().__init__(message)
        self.snr_db = snr_db
        self.floor_db = floor_db
