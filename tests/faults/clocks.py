"""What is wrong with the clock of one end, and how it is told."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

ClockOwner = Literal["gateway", "player"]

BEFORE_FIRST_SYNC_S: Final = -1.78e9
"""Of a board without a battery for its clock: it starts about 1970."""

_HOOK: Final = Path(__file__).with_name("false_clock")


@dataclass(frozen=True, slots=True)
class ClockError:
    """offset_s: by how much its UTC is ahead from the start. drift_ppm: how much faster than truth its crystal is."""

    owner: ClockOwner
    offset_s: float = 0.0
    drift_ppm: float = 0.0


class FalseClock:
    """The clock of one process, as that process will be told it."""

    def __init__(self, path: Path, error: ClockError) -> None:
        self._path = path
        self._rate = 1.0 + error.drift_ppm * 1e-6
        self.show(error.offset_s)

    def show(self, offset_s: float) -> None:
        """From now on its UTC is so far ahead."""
        partial = self._path.with_suffix(".part")
        partial.write_text(f"{offset_s!r} {self._rate!r}\n", encoding="ascii")
        os.replace(partial, self._path)

    def environ(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """For the process, with the module search path of `inherited` behind the hook's."""
        search = os.pathsep.join([str(_HOOK), inherited["PYTHONPATH"]])
        return {"FALSE_CLOCK": str(self._path), "PYTHONPATH": search}
