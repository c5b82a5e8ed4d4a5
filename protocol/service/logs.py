"""Logging of a command: text for people, or one JSON object a line for machines. Only a command's `main` calls this."""

from __future__ import annotations

import json as json_module
import logging
import sys
import time

from protocol.service.command import printable

_TEXT_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_HANDLER_NAME = "voxwire"


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, then whatever `extra=` carried."""

    def format(self, record: logging.LogRecord) -> str:
        milliseconds = int(record.msecs)
        entry: dict[str, object] = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{milliseconds:03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry.update({key: value for key, value in vars(record).items() if key not in _STANDARD_FIELDS})
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json_module.dumps(entry, ensure_ascii=False, default=str)


class TextFormatter(logging.Formatter):
    """One line a record, whatever the names in it: a line break in a file's name must not look like a second record."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return printable(super().formatMessage(record))


def configure_logging(level: str, *, json: bool) -> None:
    """Send the log to standard error, at `level` (debug, info, warning, error) and above.

    Standard output stays free for results and audio. Calling it again replaces the former setting.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"log level must be debug, info, warning or error, got {level!r}")
    handler = logging.StreamHandler(sys.stderr)
    handler.set_name(_HANDLER_NAME)
    handler.setFormatter(JsonFormatter() if json else TextFormatter(_TEXT_FORMAT))
    root = logging.getLogger()
    for old in [other for other in root.handlers if other.get_name() == _HANDLER_NAME]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(number)
