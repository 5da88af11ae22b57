"""first: FIRST's list of its member teams, as api.first.org answers it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from pocdir.directory.formats import values
from pocdir.directory.formats.outside import Contacts, Notes, addresses, day, kind_of, mappings, several
from pocdir.directory.formats.records import Faults, Parsed, Provenance, TeamRecord
from pocdir.directory.formats.text import json_value, refuse, shown

URL = "https://api.first.org/data/v1/teams"


def parse(data: bytes, now: dt.datetime) -> Parsed:
    """The teams of one answer of the API, or of a list of its pages.

    Representatives and other persons are never taken, nor what is for members only but the fingerprint. A
    contact that is none is left out with a note; raises Invalid with the path for anything else that is not
    the format, and for an answer that holds only some of its teams.
    """
    raw = json_value(data, "FIRST's list of teams in JSON")
    pages = raw if isinstance(raw, list) else [raw]
    if not pages:
        refuse("an answer of the API is right: an object with status and data")
    faults, notes, teams, dates, total = Faults(), Notes(), [], [""], 0
    for number, page in enumerate(pages):
        at = f"[{number}]." if isinstance(raw, list) else ""
        items = _page(page, at)
        dates.append(day(page.get("last-modified")) or "")
        total = max(total, page["total"] if isinstance(page.get("total"), int) else 0)
        for where, item in mappings(items, f"{at}data"):
            teams.append(_team(item, where, faults, notes))
    faults.refuse("record_invalid")
    if len(teams) < total:
        refuse(f"holds {len(teams)} of {total} teams; fetch all of them (limit, offset)", "total")
    if not teams:
        refuse("holds no team", "data")
    source = Provenance("FIRST", URL, "registry", max(dates))
    return Parsed(source, "imported", tuple(team for team in teams if team), notes.told())


def _page(page: Any, at: str) -> Any:
    if not isinstance(page, Mapping) or "data" not in page:
        refuse("an answer of the API is right: an object with status and data", f"{at}data")
    status = str(page.get("status", "OK"))
    if status.upper() != "OK":
        refuse(f"the API answered {shown(status)}", f"{at}status")
    return page["data"]


def _team(item: Mapping[str, Any], where: str, faults: Faults, notes: Notes) -> TeamRecord | None:
    short, full = item.get("team") or None, item.get("team-full") or item.get("team")
    name = faults.check(f"{where}.team", values.text(300), full)
    if name is None:
        return None
    facts: dict[str, Any] = {"name": name}
    if short is not None and short != full:
        facts["short_name"] = notes.usable(f"{where}.team", values.text(100), short)
    facts["kind"] = kind_of([item.get("constituency")])
    facts["country"] = notes.usable(f"{where}.country", values.country, item.get("country") or None)
    for end, website in several(item.get("website")):
        if website and "website" not in facts:
            facts["website"] = notes.usable(f"{where}.website{end}", values.url, website)
    facts["memberships"] = [{"name": "FIRST", "since": day(item.get("member-since"))}]
    contacts = _contacts(item, where, notes)
    return TeamRecord(
        slug=None,
        facts={name: value for name, value in facts.items() if value is not None},
        channels=contacts.channels(),
        as_of=day(item.get("last-modified")),
        placeholders=tuple(contacts.placeholders),
    )


def _contacts(item: Mapping[str, Any], where: str, notes: Notes) -> Contacts:
    contacts = Contacts(notes)
    fingerprint = item.get("pgp-fingerprint") or None
    if fingerprint is not None:
        fingerprint = notes.usable(f"{where}.pgp-fingerprint", values.fingerprint, fingerprint)
    for end, emails in several(item.get("email")):
        for email in addresses(emails):
            contacts.add(f"{where}.email{end}", "email", email, fingerprint=fingerprint)
            fingerprint = None  # it is said of the first
    for field, purpose in (("phone", "incident"), ("phone-emergency", "emergency")):
        for end, phone in several(item.get(field)):
            contacts.add(f"{where}.{field}{end}", "phone", phone, purpose)
    if isinstance(address := item.get("address"), str):
        contacts.add(f"{where}.address", "postal", ", ".join(address.splitlines()), "general")
    return contacts
