"""first: FIRST's list of its member teams, as api.first.org answers it; read, and written for the whole directory."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from email.utils import format_datetime
from typing import Any, NamedTuple

from pocdir.core.codes import name_of
from pocdir.core.text import fold
from pocdir.directory.formats import values
from pocdir.directory.formats.outside import (
    KIND_WORDS,
    Contacts,
    Notes,
    addresses,
    contacts_for,
    day,
    kind_of,
    mails_for,
    mappings,
    several,
)
from pocdir.directory.formats.records import Faults, Parsed, Provenance, TeamRecord
from pocdir.directory.formats.text import json_value, refuse, shown

URL = "https://api.first.org/data/v1/teams"
MEMBERSHIP, FULL = "FIRST", "Full Member"
VERSION = "1.0"
LIMIT, MOST = 100, 1000  # of one answer


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
    facts["established"] = day(item.get("establishment"))
    facts["country"] = notes.usable(f"{where}.country", values.country, item.get("country") or None)
    for end, website in several(item.get("website")):
        if website and "website" not in facts:
            facts["website"] = notes.usable(f"{where}.website{end}", values.url, website)
    if item.get("membership", FULL) is not None:  # only a directory in FIRST's shape says that it is none
        facts["first_id"] = (
            notes.usable(f"{where}.id", values.text(100), item["id"]) if item.get("id") else None
        )
        facts["memberships"] = [{"name": MEMBERSHIP, "since": day(item.get("member-since"))}]
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


def shape(team: Mapping[str, Any], as_of: str) -> dict[str, Any]:
    """A team of pocdir-json as FIRST's API tells of one; every key is there, null where nobody says it.

    `email` are the addresses for incidents, in their order: the shape has no other purpose but the emergency phone.
    """
    mails = mails_for(team, "incident")
    member = next((it for it in team["memberships"] if it["name"] == MEMBERSHIP), None)
    return {
        "id": team["first_id"] or team["slug"],
        "team": team["short_name"] or team["name"],
        "team-full": team["name"],
        "membership": FULL if member else None,
        "member-since": member["since"] if member else None,
        "host": None,
        "establishment": team["established"],
        "country": team["country"],
        "constituency": KIND_WORDS.get(team["kind"]),
        "website": team["website"],
        "email": ", ".join(it["value"] for it in mails) or None,
        "phone": contacts_for(team, "phone", "incident"),
        "phone-emergency": contacts_for(team, "phone", "emergency"),
        "address": next(iter(contacts_for(team, "postal", "general")), None),
        "pgp-fingerprint": mails[0]["openpgp_fingerprint"] if mails else None,
        "last-modified": http_date(as_of),
    }


class Asked(NamedTuple):
    """What one question asks for; `sort` are fields, each with - or ! before it for the other way round."""

    country: str | None = None
    q: str = ""
    fields: Sequence[str] = ()
    limit: int = LIMIT
    offset: int = 0
    sort: Sequence[str] = ()


def answer(shapes: Iterable[Mapping[str, Any]], asked: Asked, as_of: str) -> dict[str, Any]:
    """The envelope with the teams that were asked for; a field that FIRST has and we do not is passed over."""
    found = [it for it in shapes if asked.country in (None, it["country"])]
    if words := fold(asked.q):
        found = [it for it in found if words in _searched(it)]
    for name in reversed(asked.sort):
        said = [it for it in found if it.get(name.lstrip("-!")) not in (None, [])]
        unsaid = [it for it in found if it.get(name.lstrip("-!")) in (None, [])]
        said.sort(key=lambda it: fold(str(it[name.lstrip("-!")])), reverse=name[:1] in ("-", "!"))
        found = said + unsaid
    data = found[asked.offset : asked.offset + asked.limit]
    if asked.fields:
        data = [{name: it[name] for name in asked.fields if name in it} for it in data]
    return {
        "status": "OK",
        "status-code": 200,
        "version": VERSION,
        "access": "public",
        "last-modified": http_date(as_of),
        "total": len(found),
        "limit": asked.limit,
        "offset": asked.offset,
        "data": data,
    }


def http_date(as_of: str) -> str | None:
    """`Wed, 17 Jun 2026 00:00:00 GMT` for an ISO date; null for none, or for a year alone."""
    try:
        return format_datetime(dt.datetime.fromisoformat(as_of).replace(tzinfo=dt.UTC), usegmt=True)
    except ValueError:
        return None


def _searched(item: Mapping[str, Any]) -> str:
    country = item["country"]
    return fold(
        " ".join((item["team"], item["team-full"], *((country, name_of(country, "en")) if country else ())))
    )
