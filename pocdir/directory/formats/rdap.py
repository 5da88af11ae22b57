"""rdap: who holds a network, an AS number or a domain, as a registry answers it (RFC 9083, RFC 7095)."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pocdir.core.codes import alpha2
from pocdir.core.errors import Invalid
from pocdir.directory.formats import values
from pocdir.directory.formats.jcard import Card, card
from pocdir.directory.formats.outside import Contacts, Notes, asns, day, mappings, registrable
from pocdir.directory.formats.profile import FACTS
from pocdir.directory.formats.records import Parsed, Provenance, ResponsibilityRecord, TeamRecord
from pocdir.directory.formats.text import json_value, refuse, shown

CLASSES = ("entity", "ip network", "autnum", "domain")
# Which entity the team is, best first; then what its people and those below it are written for.
_WHOSE = ("registrant", "abuse", "noc", "technical", "administrative", "registrar", "sponsor", "reseller")
_HOLDERS = frozenset({"registrant", "abuse"})
_OTHERS = frozenset({"registrar", "reseller", "sponsor", "proxy"})  # somebody else's desks
MOST_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity of the answer, its roles in all places, and whether it stands below a registrar."""

    where: str
    handle: str | None
    roles: frozenset[str]
    card: Card
    others: bool

    @property
    def name(self) -> str | None:
        return self.card.name or self.card.org or self.handle

    @property
    def is_person(self) -> bool:
        return self.card.kind == "individual"


def parse(data: bytes, now: dt.datetime) -> Parsed:
    """One team: the answer's own entity, else its registrant, else its abuse desk, with what it holds.

    Contacts of nested entities are the team's; `abuse` is for incidents, every other role general. Persons
    (vCard kind individual) are never taken, nor a registrar's desks as those of a domain's holder. Raises
    Invalid with the path.
    """
    raw = json_value(data, "an RDAP answer in JSON")
    if not isinstance(raw, Mapping) or "objectClassName" not in raw:
        refuse(_what_else(raw))
    if raw["objectClassName"] not in CLASSES:
        refuse(
            f"{shown(raw['objectClassName'])} has no holder; one of {', '.join(CLASSES)} is right",
            "objectClassName",
        )
    notes = Notes()
    entities = _entities(raw)
    if raw["objectClassName"] == "domain":
        entities = _without_registrars_desks(entities)
    team = _team_of(raw, entities)
    contacts = _contacts(entities, team, notes)
    held = _held(raw, notes) if team.roles & _HOLDERS or raw["objectClassName"] == "entity" else ()
    if not contacts.found and not contacts.placeholders:
        refuse(
            "no entity has a contact that is a desk's: they are persons, or without an address", "entities"
        )
    name = _text(team.name) or _text(raw.get("name"))
    if name is None:
        refuse("neither a handle nor a name says whose this is", team.where or "handle")
    facts = {"name": name, "short_name": team.handle, "country": team.card.country or _country(raw)}
    facts["ripe_org"] = _org_of_ripe(team.handle)
    mails = [channel.value for channel in contacts.channels() if channel.kind == "email"]
    record = TeamRecord(
        slug=None,
        facts={
            key: value for key, value in facts.items() if value and (key != "short_name" or value != name)
        },
        channels=contacts.channels(),
        responsibilities=tuple(held),
        confidence="low",
        domain=next(filter(None, map(registrable, mails)), None),
        lead=True,
        placeholders=tuple(contacts.placeholders),
    )
    label = _text(raw.get("handle")) or _text(raw.get("ldhName")) or name
    source = Provenance(f"RDAP {label}"[:200], _self(raw), "registry", _changed(raw))
    return Parsed(source, "imported", (record,), notes.told())


def _org_of_ripe(handle: str | None) -> str | None:
    try:
        return FACTS["ripe_org"](handle) if handle and handle.upper().endswith("-RIPE") else None
    except Invalid:
        return None


def _what_else(raw: Any) -> str:
    if isinstance(raw, Mapping) and "errorCode" in raw:
        return f"the registry answered with the error {shown(raw['errorCode'])}"
    if isinstance(raw, Mapping) and any(str(name).endswith("SearchResults") for name in raw):
        return "this is a list of search results; ask for one object"
    if isinstance(raw, list) and raw[:1] == ["vcard"]:
        return "this is a vCard alone, not an RDAP answer"
    return "an RDAP answer is right: an object with objectClassName"


def _entities(raw: Mapping[str, Any]) -> list[Entity]:
    """Every entity, once: the answer itself if it is one, then those below it, the outer ones first."""
    found: dict[str, Entity] = {}
    for where, item, roles, others in _walk(raw):
        handle = _text(item.get("handle"))
        read = Entity(where, handle, roles, card(item.get("vcardArray"), f"{where}vcardArray"), others)
        key = handle or where
        if (known := found.get(key)) is not None:
            better = known if known.card != Card() else read
            read = Entity(known.where, handle, known.roles | roles, better.card, known.others and others)
        found[key] = read
    return list(found.values())


def _without_registrars_desks(entities: list[Entity]) -> list[Entity]:
    """Of a domain: a technical contact at the registrar's own mail domain is the registrar's desk too."""
    theirs = {_mail_domain(each) for each in entities if each.others or each.roles & _OTHERS} - {None}
    return [
        replace(each, others=True)
        if not each.roles & _HOLDERS and _mail_domain(each) in theirs and _mail_domain(each)
        else each
        for each in entities
    ]


def _mail_domain(entity: Entity) -> str | None:
    mails = (value for _place, kind, value in entity.card.contacts if kind == "email")
    return next(filter(None, map(registrable, mails)), None)


def _walk(raw: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], frozenset[str], bool]]:
    level = [("", raw, False)]
    for depth in range(MOST_DEPTH + 1):
        below = []
        for where, item, others in level:
            roles = frozenset(role for role in _list(item.get("roles")) if isinstance(role, str))
            if depth or raw["objectClassName"] == "entity":
                yield where, item, roles, others
            children = item.get("entities")
            if isinstance(children, list) and children and all(isinstance(child, str) for child in children):
                continue  # names alone, as some tools keep them
            for at, child in mappings(children or [], f"{where}entities"):
                below.append(
                    (f"{at}.", child, others or bool(depth and roles & _OTHERS and not roles & _HOLDERS))
                )
        level = below
    if level:
        refuse(f"entities are nested deeper than {MOST_DEPTH}", level[0][0].rstrip("."))


def _team_of(raw: Mapping[str, Any], entities: list[Entity]) -> Entity:
    """The entity that the answer is about; a registrant with a card before one without."""
    if raw["objectClassName"] == "entity":
        if entities[0].is_person:
            refuse("this entity is a person; the directory holds desks", "vcardArray")
        return entities[0]
    of_domain = raw["objectClassName"] == "domain"
    eligible = [
        each
        for each in entities
        if each.roles and not each.is_person and not each.others and (each.roles - _OTHERS or not of_domain)
    ]
    if not eligible:
        refuse("no entity that could be a team has a role", "entities")

    def order(entity: Entity) -> tuple[bool, int, bool]:
        maintainer = bool(re.search(r"-MN?T(?:NER)?$", entity.handle or ""))
        role = min(_WHOSE.index(role) if role in _WHOSE else len(_WHOSE) for role in entity.roles)
        return maintainer, role, entity.card == Card()

    return min(eligible, key=order)


def _contacts(entities: list[Entity], team: Entity, notes: Notes) -> Contacts:
    contacts = Contacts(notes)
    for entity in sorted(entities, key=lambda each: "abuse" not in each.roles):
        if entity.is_person:
            notes.add(f"{entity.where}vcardArray", "is a person; left out")
        elif entity is team or not (entity.others or entity.roles & _OTHERS):
            purpose = "incident" if "abuse" in entity.roles else "general"
            for place, kind, value in entity.card.contacts:
                contacts.add(f"{entity.where}vcardArray{place}", kind, value, purpose)
    return contacts


def _held(raw: Mapping[str, Any], notes: Notes) -> Iterator[ResponsibilityRecord]:
    """What the answer is about: a network, AS numbers or a domain."""
    given: list[tuple[str, str, Any]] = []
    if raw["objectClassName"] == "ip network":
        first, last = (str(raw.get(name) or "").partition("/")[0] for name in ("startAddress", "endAddress"))
        given = [("prefix", "startAddress", f"{first}-{last}")]
    elif raw["objectClassName"] == "domain":
        given = [("domain", "ldhName", raw.get("ldhName") or raw.get("unicodeName"))]
    elif raw["objectClassName"] == "autnum":
        low, high = raw.get("startAutnum"), raw.get("endAutnum")
        found = notes.usable("startAutnum", asns, f"{low}-{high}" if high not in (None, low) else low)
        given = [("asn", "startAutnum", number) for number in found or ()]
    for key, where, value in given:
        if (checked := notes.usable(where, values.RESPONSIBILITY_VALUES[key], value)) is not None:
            yield ResponsibilityRecord(key, checked, "holder")


def _country(raw: Mapping[str, Any]) -> str | None:
    given = raw.get("country")
    return alpha2(given) if isinstance(given, str) and len(given) == 2 else None


def _changed(raw: Mapping[str, Any]) -> str:
    events = [item for item in _list(raw.get("events")) if isinstance(item, Mapping)]
    dates = [day(item.get("eventDate")) or "" for item in events if item.get("eventAction") == "last changed"]
    return max(dates, default="")


def _self(raw: Mapping[str, Any]) -> str | None:
    for link in _list(raw.get("links")):
        if (
            isinstance(link, Mapping)
            and link.get("rel") == "self"
            and str(link.get("href")).startswith("https://")
        ):
            try:
                return values.url(link["href"])
            except Invalid:
                return None
    return None


def _text(raw: Any) -> str | None:
    """A name on one line; None for what is none."""
    try:
        return values.text(300)(" ".join(raw.split())) if isinstance(raw, str) else None
    except Invalid:
        return None


def _list(raw: Any) -> list[Any]:
    return raw if isinstance(raw, list) else []
