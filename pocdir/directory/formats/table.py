"""Every format that can be imported, by the name that people type."""

from __future__ import annotations

from collections.abc import Callable

from pocdir.directory.formats import cidr_csv, pocdir_csv, pocdir_json
from pocdir.directory.formats.records import Parsed

FORMATS: dict[str, Callable[[bytes], Parsed]] = {
    "pocdir-json": pocdir_json.parse,
    "pocdir-csv": pocdir_csv.parse,
    "cidr-csv": cidr_csv.parse,
}
