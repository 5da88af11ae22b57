"""pocdir-csv: the directory as one flat table, for people with a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from pocdir.core.cells import FORMULA
from pocdir.directory.formats import records
from pocdir.directory.formats.profile import FACTS
from pocdir.directory.formats.records import Faults, Parsed
from pocdir.directory.formats.text import csv_rows

# Facts in cells of their own; a list is words with blanks between, a promise such as answer=P3D.
_LISTS = ("languages", "tlp", "opt_outs", "intake")
_FLAGS = ("accepts_private", "accepts_abroad", "encryption_required", "accepts_samples")
_ROWS = ("memberships", "names")  # facts in lines of their own
_FIRST = ("name", "short_name", "kind", "country", "website", "languages", "timezone", "host_kind")
_MORE = tuple(name for name in FACTS if name not in (*_FIRST, *_ROWS))
TEAM = (*_FIRST, "confidence", *_MORE)
CHANNEL = (
    "kind", "value", "purpose", "preference", "audience", "openpgp_fingerprint", "hours", "confidence",
)  # fmt: skip
RESPONSIBILITY = ("kind", "value", "role", "rank", "valid_from", "valid_to", "confidence")
COLUMNS = (
    "slug", "record", "name", "short_name", "kind", "country", "website", "languages", "timezone",
    "host_kind", "value", "purpose", "preference", "audience", "openpgp_fingerprint", "role", "rank",
    "valid_from", "valid_to", "confidence", "hours", *_MORE,
)  # fmt: skip
USED = {
    "team": TEAM,
    "membership": ("name", "valid_from"),
    "name": ("name", "languages"),
    "channel": CHANNEL,
    "responsibility": RESPONSIBILITY,
}


def parse(data: bytes) -> Parsed:
    """The teams of the table: a line of each team, then of its memberships, further names, channels, responsibilities.

    The team's lines share its slug. Raises Invalid with the line.
    """
    faults = Faults()
    teams: dict[str, dict[str, Any]] = {}
    lines: dict[str, dict[str, str]] = {}
    for where, cells in csv_rows(data, ("slug", "record"), COLUMNS):
        row = {name: _unmasked(cell.strip()) for name, cell in cells.items() if cell.strip()}
        slug, record = row.pop("slug", ""), row.pop("record", "")
        used = USED.get(record)
        if used is None or not slug:
            faults.add(where, f"a slug and one of {', '.join(USED)} in the column record are right")
        elif strange := [name for name in row if name not in used]:
            faults.add(where, f"{strange[0]} says nothing in a line of a {record}")
        elif record == "team":
            if slug in teams:
                faults.add(where, "this team has a line already")
            teams[slug] = _team(slug, row)
            lines[slug] = {"": where}
        elif slug not in teams:
            faults.add(where, "the line of the team itself comes before this one")
        else:
            place = "responsibilities" if record == "responsibility" else f"{record}s"
            lines[slug][f"{place}[{len(teams[slug][place])}]"] = where
            teams[slug][place].append(_row(record, row))
    faults.refuse("record_invalid")
    read = tuple(_checked(team, lines[slug], faults) for slug, team in teams.items())
    faults.refuse("record_invalid")
    return Parsed(None, "imported", tuple(record for record in read if record is not None))


def _team(slug: str, row: Mapping[str, str]) -> dict[str, Any]:
    team: dict[str, Any] = {"slug": slug, "kind": None, "country": None, **row}
    team |= {name: row.get(name, "").split() for name in _LISTS}
    team |= {name: {"yes": True, "no": False}.get(row[name], row[name]) for name in _FLAGS if name in row}
    if "promise" in row:
        team["promise"] = dict(part.partition("=")[::2] for part in row["promise"].split())
    return team | {"memberships": [], "names": [], "channels": [], "responsibilities": []}


def _row(record: str, row: Mapping[str, str]) -> dict[str, Any]:
    if record == "membership":
        return {"name": row.get("name"), "since": row.get("valid_from")}
    if record == "name":
        return {"name": row.get("name"), "language": row.get("languages")}
    if record == "responsibility":
        return {"key" if name == "kind" else name: cell for name, cell in row.items()}
    return dict(row)


def _checked(team: Mapping[str, Any], lines: Mapping[str, str], faults: Faults) -> records.TeamRecord | None:
    """The record; a fault in it is told by the line it stands on."""
    inner = Faults()
    record = next(records.team_records([team], inner, ""), None)
    for path, messages in inner.found.items():
        at = path.removeprefix("[0].")
        place, _, column = at.rpartition(".") if "]" in at else ("", "", at)
        line = lines.get(place) or lines.get(at) or lines[""]
        for message in messages:
            faults.add(f"{line}: {column}", message)
    return record


def write(teams: Iterable[Mapping[str, Any]]) -> bytes:
    """The table for these teams (dicts of pocdir-json, sorted by slug), safe to open in a spreadsheet."""
    file = io.StringIO()
    lines = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
    lines.writeheader()
    for team in teams:
        rows = [{"record": "team", **{name: _cell(team.get(name)) for name in TEAM}}]
        for it in team["memberships"]:
            rows.append({"record": "membership", "name": it["name"], "valid_from": it["since"]})
        rows += [
            {"record": "name", "name": it["name"], "languages": it["language"]}
            for it in team.get("names", ())
        ]
        rows += [{"record": "channel", **channel} for channel in team["channels"]]
        for responsibility in team["responsibilities"]:
            given = dict(responsibility)
            rows.append({"record": "responsibility", "kind": given.pop("key"), **given})
        for row in rows:
            lines.writerow({"slug": team["slug"], **{name: _masked(cell) for name, cell in row.items()}})
    return file.getvalue().encode("utf-8")


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return " ".join(f"{name}={length}" for name, length in value.items())
    return " ".join(value) if isinstance(value, list) else value


def _masked(cell: Any) -> str:
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.startswith(FORMULA) or _is_masked(text) else text


def _unmasked(text: str) -> str:
    return text[1:] if _is_masked(text) else text


def _is_masked(text: str) -> bool:
    return text.startswith("'") and text[1:].startswith((*FORMULA, "'"))
