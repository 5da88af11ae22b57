"""Every format that can be imported, by the name that people type."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from pocdir.directory.formats import (
    certat,
    certbund,
    cidr_csv,
    first,
    pocdir_csv,
    pocdir_json,
    rdap,
    security_txt,
    ti,
)
from pocdir.directory.formats.records import Parsed

# From the bytes of a file, and the moment at which it is read: what has expired by then is not taken.
FORMATS: dict[str, Callable[[bytes, dt.datetime], Parsed]] = {
    "pocdir-json": lambda data, now: pocdir_json.parse(data),
    "pocdir-csv": lambda data, now: pocdir_csv.parse(data),
    "first": first.parse,
    "ti": ti.parse,
    "certbund": certbund.parse,
    "certat": certat.parse,
    "cidr-csv": lambda data, now: cidr_csv.parse(data),
    "security-txt": security_txt.parse,
    "rdap": rdap.parse,
}
