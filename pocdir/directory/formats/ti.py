"""ti: the directory of the Trusted Introducer, its teams.json; read, and written for the whole directory."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pocdir.core.codes import name_of
from pocdir.core.errors import Invalid
from pocdir.directory.formats import values
from pocdir.directory.formats.outside import (
    KIND_WORDS,
    Contacts,
    Notes,
    asns,
    contacts_for,
    country_of,
    day,
    domain,
    kind_of,
    mails_for,
    mappings,
    several,
)
from pocdir.directory.formats.profile import FACTS, hours
from pocdir.directory.formats.records import (
    Faults,
    Parsed,
    Provenance,
    ResponsibilityRecord,
    TeamRecord,
    identity,
)
from pocdir.directory.formats.text import json_value, refuse

URL = "https://www.trusted-introducer.org/directory/teams.json"
LEVELS = {"l": "TI Listed", "a": "TI Accredited", "c": "TI Certified"}
# What an address is used for, in TI's words: None, it is somebody's own; what stands here not is general.
USAGES: dict[str, str | None] = {
    "contact": "incident", "incident": "incident", "incidents": "incident", "abuse": "incident",
    "alert": "incident", "report": "incident", "vulnerability": "vulnerability", "emergency": "emergency",
    "representative": None, "rep": None, "private": None, "personal": None, "person": None,
}  # fmt: skip


def parse(data: bytes, now: dt.datetime) -> Parsed:
    """The teams of the list; a key that expired before `now` is left out with a note.

    Representatives are never taken. Raises Invalid with the path of what is not the format.
    """
    raw = json_value(data, "the Trusted Introducer's list of teams in JSON")
    where = ""
    if isinstance(raw, Mapping) and "teams" in raw:
        raw, where = raw["teams"], "teams"
    faults, notes = Faults(), Notes()
    teams = [_team(item, at, faults, notes, now) for at, item in mappings(raw, where)]
    faults.refuse("record_invalid")
    if not teams:
        refuse("holds no team")
    source = Provenance("Trusted Introducer", URL, "registry")
    return Parsed(source, "imported", tuple(team for team in teams if team), notes.told())


def _team(
    item: Mapping[str, Any], where: str, faults: Faults, notes: Notes, now: dt.datetime
) -> TeamRecord | None:
    name = faults.check(f"{where}.official_name", values.text(300), item.get("official_name"))
    if name is None:
        return None
    constituency = _object(item, "constituency", where)
    types = [each for _, each in several(constituency.get("types"))]
    contacts = _contacts(item, where, notes, now)
    facts = {
        "name": name,
        "short_name": _optional(item, "short_name", values.text(100), where, notes),
        "kind": kind_of(types),
        "country": _optional(
            _object(item, "country", where), "code", values.country, f"{where}.country", notes
        ),
        "website": _optional(item, "website", values.url, where, notes),
        "timezone": _optional(item, "business_hours_timezone", values.timezone, where, notes),
        "business_hours": _hours(item.get("business_hours")),
        "established": day(item.get("established")),
        "misp_uuid": _optional(
            _object(item, "misp", where), "org_uuid", FACTS["misp_uuid"], f"{where}.misp", notes
        ),
        "memberships": _level(_object(item, "classification", where)),
    }
    answers_for = {
        identity(row): row for row in _responsibilities(constituency, f"{where}.constituency", facts, notes)
    }
    return TeamRecord(
        slug=None,
        facts={name: value for name, value in facts.items() if value},
        channels=contacts.channels(),
        responsibilities=tuple(answers_for.values()),
        placeholders=tuple(contacts.placeholders),
    )


def _object(item: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    value = item.get(name)
    if value is not None and not isinstance(value, Mapping):
        refuse("an object is right", f"{where}.{name}")
    return value or {}


def _optional(item: Mapping[str, Any], name: str, check: Any, where: str, notes: Notes) -> Any:
    return notes.usable(f"{where}.{name}", check, item[name]) if item.get(name) else None


def _hours(raw: Any) -> str | None:
    """Theirs are free words; those that are hours in our spelling are taken, and nothing is said of the others."""
    try:
        return hours(raw)
    except Invalid:
        return None


def _level(given: Mapping[str, Any]) -> list[dict[str, str | None]]:
    code = given.get("code")
    level = LEVELS.get(code.lower()) if isinstance(code, str) else None
    return [{"name": level, "since": day(given.get("since"))}] if level else []


def _contacts(item: Mapping[str, Any], where: str, notes: Notes, now: dt.datetime) -> Contacts:
    contacts = Contacts(notes)
    fingerprint = _fingerprint(item, where, notes, now)
    for at, email in mappings(item.get("emails") or [], f"{where}.emails"):
        for purpose in _purposes(email):
            contacts.add(f"{at}.address", "email", email.get("address"), purpose, fingerprint=fingerprint)
            fingerprint = None  # a team's key is said of its first address
    for at, phone in mappings(item.get("phones") or [], f"{where}.phones"):
        usages = _words(phone)
        if "fax" not in usages:
            purpose = "emergency" if "emergency" in usages else "incident"
            contacts.add(f"{at}.number", "phone", phone.get("number"), purpose)
    if isinstance(address := item.get("postal_address"), str):
        contacts.add(f"{where}.postal_address", "postal", ", ".join(address.splitlines()), "general")
    return contacts


def _words(item: Mapping[str, Any]) -> list[str]:
    return [word.strip().lower() for _, word in several(item.get("usage")) if isinstance(word, str)]


def _purposes(email: Mapping[str, Any]) -> list[str]:
    usages = _words(email) or ["contact"]
    found = [USAGES.get(usage, "general") for usage in usages]
    return [] if None in found else list(dict.fromkeys(purpose for purpose in found if purpose))


def _fingerprint(item: Mapping[str, Any], where: str, notes: Notes, now: dt.datetime) -> str | None:
    """The first key that has not expired."""
    for at, key in mappings(item.get("pgp_keys") or [], f"{where}.pgp_keys"):
        found = notes.usable(f"{at}.fingerprint", values.fingerprint, key.get("fingerprint"))
        expires = day(key.get("expires"))
        if found and expires and expires.ljust(10, "~") < now.date().isoformat():
            notes.add(f"{at}.expires", f"the key expired on {expires}; left out")
        elif found:
            return found
    return None


def _responsibilities(
    constituency: Mapping[str, Any], where: str, facts: Mapping[str, Any], notes: Notes
) -> Iterator[ResponsibilityRecord]:
    for end, number in several(constituency.get("asns")):
        for asn in notes.usable(f"{where}.asns{end}", asns, number) or ():
            yield ResponsibilityRecord("asn", asn, "holder")
    for end, network in several(constituency.get("ipranges")):
        if prefix := notes.usable(f"{where}.ipranges{end}", values.prefix, network):
            yield ResponsibilityRecord("prefix", prefix, "holder")
    for end, name in several(constituency.get("domains")):
        if found := notes.usable(f"{where}.domains{end}", domain, name):
            yield ResponsibilityRecord("domain", found, "holder")
    if facts["kind"] == "national":
        for at, given in mappings(constituency.get("countries") or [], f"{where}.countries"):
            if code := notes.usable(f"{at}.code", values.country, given.get("code")):
                yield country_of(code)


_USAGE = {
    "incident": "contact",
    "vulnerability": "vulnerability",
    "emergency": "emergency",
    "general": "general",
}


def shape(team: Mapping[str, Any]) -> dict[str, Any]:
    """A team of pocdir-json as the Trusted Introducer tells of one; null or empty where nobody says it."""
    mails = mails_for(team, *_USAGE)
    fingerprint = mails[0]["openpgp_fingerprint"] if mails else None
    phones = [(value, ["voice"]) for value in contacts_for(team, "phone", "incident")]
    phones += [(value, ["voice", "emergency"]) for value in contacts_for(team, "phone", "emergency")]
    level = {name: code for code, name in LEVELS.items()}
    ours = (it for it in team["memberships"] if it["name"] in level)
    return {
        "official_name": team["name"],
        "short_name": team["short_name"],
        "country": _country(team["country"]) if team["country"] else None,
        "established": team["established"],
        "host_organisation": None,
        "website": team["website"],
        "classification": next(
            ({"code": level[it["name"]], "name": it["name"][3:], "since": it["since"]} for it in ours), None
        ),
        "constituency": {
            "types": [KIND_WORDS[team["kind"]]] if team["kind"] in KIND_WORDS else [],
            "asns": [int(number) for number in _held(team, "asn")],
            "domains": _held(team, "domain"),
            "ipranges": _held(team, "prefix"),
            "countries": [_country(code) for code in _held(team, "country", "national")],
        },
        "postal_address": next(iter(contacts_for(team, "postal", "general")), None),
        "business_hours": team["business_hours"],
        "business_hours_timezone": team["timezone"],
        "phones": [{"number": number, "usage": usage} for number, usage in phones],
        "emails": _emails(mails),
        "pgp_keys": [{"fingerprint": fingerprint, "expires": None}] if fingerprint else [],
    }


def _country(code: str) -> dict[str, str]:
    return {"code": code, "name": name_of(code, "en")}


def _held(team: Mapping[str, Any], key: str, role: str = "holder") -> list[str]:
    return [it["value"] for it in team["responsibilities"] if (it["key"], it["role"]) == (key, role)]


def _emails(mails: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each address once with all that it is for."""
    usages: dict[str, list[str]] = {}
    for it in mails:
        usages.setdefault(it["value"], []).append(_USAGE[it["purpose"]])
    return [{"address": address, "usage": usage} for address, usage in usages.items()]
