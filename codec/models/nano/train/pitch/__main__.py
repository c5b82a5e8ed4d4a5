"""`python -m codec.models.nano.train.pitch`."""

from codec.models.nano.train.pitch.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
