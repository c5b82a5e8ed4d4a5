"""`python -m codec.models.nano.train`."""

from __future__ import annotations

from codec.models.nano.train.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
