"""Logs: one JSON object a line on stderr; no address asked for, no token, no query string."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from pocdir.web.secret_links import SECRET_LINKS

LONGEST_TRACE = 8_000  # characters
_LEFT_OUT = "\n[...]\n"

# API tokens carry their secret in their text. The longer path first: it holds another one.
_BEFORE_A_SECRET = "|".join([*sorted(SECRET_LINKS, key=len, reverse=True), "pocdir_"])
_SECRETS = re.compile(rf"({_BEFORE_A_SECRET})[A-Za-z0-9_\-]+|([?&][^=\s\"']+=)[^&\s\"']*")

# PostgreSQL repeats values of the row that it refuses: cut up to where SQLAlchemy or Python goes on.
_VALUES = re.compile(
    r"(?:\n|\\n)(?:DETAIL|CONTEXT): .*?"
    r"(?=\n\[SQL: |\n\(Background on this error|\n\nThe above exception|\n\nDuring handling|\Z)",
    re.DOTALL,
)


def init(level: str) -> None:
    """Send structlog and the standard library's loggers the same way; never with the values of local variables."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
        shorten,  # after: half a secret is not known as one
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                redact,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    handler.set_name("pocdir")
    root = logging.getLogger()
    for earlier in [each for each in root.handlers if each.name == "pocdir"]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(level.upper())
    logging.getLogger("alembic").setLevel(logging.WARNING)  # the command says where the database stands


def redact(_logger: Any, _method: str, record: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blank what must not be kept, wherever it stands in the record."""
    for name, value in record.items():
        if isinstance(value, str):
            bare = _VALUES.sub("", value)
            record[name] = _SECRETS.sub(lambda found: (found[1] or found[2]) + "[redacted]", bare)
    return record


def shorten(_logger: Any, _method: str, record: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep the beginning and the end of a long trace: where it began and what it says."""
    trace = record.get("exception")
    if isinstance(trace, str) and len(trace) > LONGEST_TRACE:
        half = (LONGEST_TRACE - len(_LEFT_OUT)) // 2
        record["exception"] = trace[:half] + _LEFT_OUT + trace[-half:]
    return record
