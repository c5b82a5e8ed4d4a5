"""`python -m codec.models.nano.train.report`."""

from codec.models.nano.train.report.page import main

if __name__ == "__main__":
    raise SystemExit(main())
