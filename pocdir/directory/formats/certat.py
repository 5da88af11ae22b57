"""certat: the table behind contacts.cert.at, as CSV with a head or as the dump of its database."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Iterator, Mapping, Sequence

from pocdir.core.text import fold
from pocdir.directory.formats import values
from pocdir.directory.formats.outside import Contacts, Notes, addresses, day, kind_of
from pocdir.directory.formats.records import Faults, Parsed, Provenance, ResponsibilityRecord, TeamRecord
from pocdir.directory.formats.text import decoded, refuse
from pocdir.directory.rules.placeholders import placeholder

NAME = "contacts.cert.at"
NEEDED = ("iso2", "team_name", "email")
_COPY = re.compile(r"COPY (?:public\.)?certs \(([a-z0-9_, ]+)\) FROM stdin;")
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "b": "\b", "f": "\f", "v": "\v"}
_ACTIVE, _GIVEN_UP = frozenset({"t", "true", "1", "yes", ""}), frozenset({"f", "false", "0", "no"})

Row = Mapping[str, str]


def parse(data: bytes, now: dt.datetime) -> Parsed:
    """A team for each country and name; rows that are not active are left out with a note.

    The column `confirmed` confirms nothing (nearly every row has it): without it a team is only a lead. The
    editor's address is never taken, nor a row that names a person. Raises Invalid with the line.
    """
    faults, notes = Faults(), Notes()
    teams: dict[tuple[str, str], list[tuple[str, Row]]] = {}
    for where, row in _rows(decoded(data, "the table of contacts.cert.at")):
        name = faults.check(
            f"{where}: team_name", values.text(300), row["team_name"] or row.get("full_team_name")
        )
        country = faults.check(f"{where}: iso2", values.country, row["iso2"])
        for mail in addresses(row["email"]):
            if not placeholder(mail):
                faults.check(f"{where}: email", values.email, mail)
        if name is None or country is None:
            continue
        if row.get("active", "").lower() in _GIVEN_UP:
            notes.add(where, f"{name} is not active; left out")
        elif _names_a_person(row):
            notes.add(where, "names a person; left out")
        else:
            teams.setdefault((fold(name), country), []).append((where, row))
    faults.refuse("record_invalid")
    if not teams:
        refuse("holds no team")
    ranks = _ranks(teams)
    records = tuple(_team(rows, key[1], ranks[key], notes) for key, rows in teams.items())
    return Parsed(
        Provenance(NAME, "https://contacts.cert.at/", "third_party_list"), "imported", records, notes.told()
    )


def _team(rows: Sequence[tuple[str, Row]], country: str, rank: int, notes: Notes) -> TeamRecord:
    contacts = Contacts(notes)
    for where, row in rows:
        for mail in addresses(row["email"]):
            contacts.add(f"{where}: email", "email", mail)
    where, first = rows[0]
    full, short = first.get("full_team_name") or first["team_name"], first["team_name"]
    kind = kind_of([first.get("type_of_cert")]) or "national"
    facts = {"name": notes.usable(f"{where}: full_team_name", values.text(300), full) or short, "kind": kind}
    if short and short != full:
        facts["short_name"] = short[:100]
    facts["country"] = country
    answers_for = (ResponsibilityRecord("country", country, "national", rank),) if kind == "national" else ()
    return TeamRecord(
        slug=None,
        facts=facts,
        channels=contacts.channels(),
        responsibilities=answers_for,
        confidence=None if _is_sure(rows) else "low",
        as_of=max((day(row.get("changed")) or "" for _, row in rows), default="") or None,
        placeholders=tuple(contacts.placeholders),
    )


def _is_sure(rows: Sequence[tuple[str, Row]]) -> bool:
    return any(row.get("confirmed", "").lower() in _ACTIVE for _, row in rows)


def _names_a_person(row: Row) -> bool:
    """The long name is the name in the address: `Given Family`, given.family@."""
    local = fold(row["email"].partition("@")[0])
    words = [word for word in re.split(r"[.\-_]+", local) if len(word) > 1]
    given = fold(row.get("full_team_name") or "").split()
    return len(words) > 1 and len(given) > 1 and set(words) <= set(given) | {"".join(given[1:])}


def _ranks(teams: Mapping[tuple[str, str], Sequence[tuple[str, Row]]]) -> dict[tuple[str, str], int]:
    """Within a country the heavier comes first; the same weight, the same rank."""
    weights = {key: max(_weight(row) for _, row in rows) for key, rows in teams.items()}
    by_country: dict[str, set[float]] = {}
    for (_, country), weight in weights.items():
        by_country.setdefault(country, set()).add(weight)
    return {key: 1 + sum(other > weight for other in by_country[key[1]]) for key, weight in weights.items()}


def _weight(row: Row) -> float:
    given = row.get("weight", "")
    return float(given) if re.fullmatch(r"[01](?:\.[0-9]{1,20})?", given) else 0.5


def _rows(text: str) -> Iterator[tuple[str, Row]]:
    lines = text.splitlines()
    start = next((number for number, line in enumerate(lines) if _COPY.fullmatch(line)), None)
    if start is None:
        yield from _csv_rows(text)
        return
    head = [name.strip() for name in lines[start][: lines[start].index(")")].partition("(")[2].split(",")]
    _check_head(head, f"line {start + 1}")
    for number, line in enumerate(lines[start + 1 :], start + 2):
        if line == "\\.":
            return
        cells = [_unescaped(cell) for cell in line.split("\t")]
        if len(cells) != len(head):
            refuse(f"{len(cells)} columns; the head has {len(head)}", f"line {number}")
        yield f"line {number}", dict(zip(head, cells, strict=True))
    refuse("the dump ends before its end (\\.)", f"line {len(lines)}")


def _unescaped(cell: str) -> str:
    if cell == "\\N":
        return ""
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), cell).strip()


def _csv_rows(text: str) -> Iterator[tuple[str, Row]]:
    first = text.lstrip().splitlines()[0]
    delimiter = max(";\t,", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        head = [name.strip().lower() for name in next(reader, [])]
        _check_head(head, "line 1")
        start = reader.line_num + 1
        for cells in reader:
            where, start = f"line {start}", reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(head):
                refuse(f"{len(cells)} columns; the head has {len(head)}", where)
            row = {
                name: "" if cell == "\\N" else cell.strip() for name, cell in zip(head, cells, strict=True)
            }
            yield where, row
    except csv.Error as error:
        refuse(f"no CSV: {error}", f"line {reader.line_num}")


def _check_head(head: Sequence[str], where: str) -> None:
    if missing := [name for name in NEEDED if name not in head]:
        refuse(f"the head lacks {', '.join(missing)}", where)
    if len(set(head)) != len(head):
        refuse("the head names a column twice", where)
