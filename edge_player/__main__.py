"""`python -m edge_player`."""

from __future__ import annotations

import sys

from edge_player.cli import main

if __name__ == "__main__":
    sys.exit(main())
