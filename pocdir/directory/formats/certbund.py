"""certbund: CERT-Bund's list of national teams, `CC|Org <mail>[,Org2 <mail2>]` a line; read and written."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pocdir.core.text import fold
from pocdir.directory.formats import values
from pocdir.directory.formats.outside import Contacts, Notes, contacts_for
from pocdir.directory.formats.records import (
    Faults,
    Parsed,
    Provenance,
    ResponsibilityRecord,
    TeamRecord,
    identity,
)
from pocdir.directory.formats.text import decoded, refuse, shown
from pocdir.directory.rules.placeholders import placeholder

RIGHT = "CC|Organisation <address>[,Organisation <address>] is right"
_LINE = re.compile(r"([^|]{1,40})\|((?:[^<>|]+<[^<>|]*>,?)+)")
_TEAM = re.compile(r"([^<>|]+)<([^<>|]*)>")


class _Team:
    """One organisation: it may stand for several countries, under several addresses."""

    def __init__(self, name: str, country: str, notes: Notes) -> None:
        self.name, self.country, self.contacts = name, country, Contacts(notes)
        self.countries: dict[tuple[str, ...], ResponsibilityRecord] = {}

    def record(self) -> TeamRecord:
        facts = {"name": self.name, "kind": "national", "country": self.country}
        found = self.contacts
        countries = tuple(self.countries.values())
        return TeamRecord(None, facts, found.channels(), countries, placeholders=tuple(found.placeholders))


def parse(data: bytes, now: dt.datetime) -> Parsed:
    """A team for each organisation and country, the first of a line before the others.

    The same organisation with the same address in several lines is one team. Empty lines and lines that begin
    with # are for people. Raises Invalid with the line.
    """
    faults, notes, teams = Faults(), Notes(), []
    same: dict[tuple[str, str], _Team] = {}
    for number, line in enumerate(decoded(data, "a list of national teams").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        where = f"line {number}"
        found = _LINE.fullmatch(line.strip())
        if found is None:
            refuse(f"{RIGHT}, not {shown(line.strip())}", where)
        country = faults.check(where, values.country, found[1].strip())
        for rank, (name, mail) in enumerate(_TEAM.findall(found[2]), 1):
            name = faults.check(where, values.text(300), name.lstrip(",").strip())
            if name is None or country is None:
                continue
            ids = [(fold(name), country), (fold(name), mail.strip().lower())]
            team = next((same[each] for each in ids if each in same), None)
            if team is None:
                teams.append(team := _Team(name, country, notes))
            same.update(dict.fromkeys(ids, team))
            team.contacts.add(where, "email", _checked(mail, where, faults))
            row = ResponsibilityRecord("country", country, "national", rank)
            team.countries.setdefault(identity(row), row)
    faults.refuse("record_invalid")
    if not teams:
        refuse("holds no team")
    source = Provenance("", None, "third_party_list")
    return Parsed(source, "imported", tuple(team.record() for team in teams), notes.told())


def _checked(mail: str, where: str, faults: Faults) -> str | None:
    """The address, or a fault of its line; a placeholder passes, it is told apart later."""
    given = mail.strip()
    return given if placeholder(given) else faults.check(where, values.email, given)


def write(teams: Iterable[Mapping[str, Any]]) -> bytes:
    """A line for each country: its national teams by rank, each with its first address for incidents.

    The signs that divide a line, a comma among them, are blanks in a name: who reads the list cuts it there.
    """
    found: dict[str, list[tuple[int, str, str]]] = {}
    for team in teams:
        mails = contacts_for(team, "email", "incident")
        for row in team["responsibilities"] if mails else ():
            if (row["key"], row["role"]) == ("country", "national"):
                name = " ".join(re.sub(r"[<>|,]", " ", team["name"]).split())
                found.setdefault(row["value"], []).append((row["rank"], team["slug"], f"{name} <{mails[0]}>"))
    lines = (
        f"{code}|{','.join(text for _, _, text in sorted(rows))}\n" for code, rows in sorted(found.items())
    )
    return "".join(lines).encode("utf-8")
