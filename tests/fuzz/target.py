"""One parser under test: what it is fed, how it is called, and what it may refuse with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Target:
    """`parse(case)` returns for a case that is accepted, after it has asserted that what came out keeps its documented
    limits; it raises one of `refuses` for any other. Whatever else it raises has escaped.

    share: of the cases of a long run, in thousandths. short: cases of the short run. peak_kb: the most memory that one
    case may take, of what Python and numpy allocate; looked at in one of `measured_every` cases, because it makes a
    case several times as slow.
    """

    name: str
    share: int
    short: int
    make: Callable[[Random], bytes]
    parse: Callable[[bytes], None]
    refuses: tuple[type[Exception], ...]
    peak_kb: int = 512
    measured_every: int = 64

    def case(self, seed: int, number: int) -> bytes:
        """The case of that number: the same for the same seed, whatever ran before."""
        return self.make(Random(f"{seed}/{self.name}/{number}"))
