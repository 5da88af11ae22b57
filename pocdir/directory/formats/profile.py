"""What a team says of itself beyond its name: hours, ids, who hosts it, what it takes, what it promises."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pocdir.core import rsit, times, tlp
from pocdir.core.errors import Invalid
from pocdir.directory.formats import values
from pocdir.directory.rules import record as rules
from pocdir.ledger.rules.vocabulary import NOTIFICATION_KINDS

MOST_ITEMS = 200
LARGEST = 10**12  # bytes
_DAY = "(?:Mo|Tu|We|Th|Fr|Sa|Su)"
_DAYS = f"{_DAY}(?:-{_DAY})?(?:,{_DAY}(?:-{_DAY})?)*"
_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_SPAN = f"{_TIME}-(?:{_TIME}|24:00)"
_HOURS = re.compile(f"{_DAYS} {_SPAN}(?:,{_SPAN})*")
_RIPE_ORG = re.compile(r"ORG-[A-Z0-9]{2,10}-[A-Z0-9]{2,10}")


def hours(raw: Any) -> str:
    """Hours in the team's own zone: a subset of OpenStreetMap's opening_hours, `Mo-Fr 08:00-16:30; Sa 10:00-12:00`."""
    given = values.text(200)(raw)
    parts = [part.strip() for part in given.split(";")]
    if given != "24/7" and not all(_HOURS.fullmatch(part) for part in parts):
        raise values.wrong("hours are right, such as Mo-Fr 08:00-16:30; Sa 10:00-12:00 or 24/7")
    return "; ".join(parts)


def flag(raw: Any) -> bool:
    """Yes or no; not saying either is leaving it out."""
    if not isinstance(raw, bool):
        raise values.wrong("true or false is right")
    return raw


def misp_uuid(raw: Any) -> str:
    """The UUID under which MISP and Cerebrate know an organisation."""
    try:
        return str(uuid.UUID(raw if isinstance(raw, str) and len(raw) == 36 else ""))
    except ValueError:
        raise values.wrong("a UUID is right, such as 55f6ea5e-2c60-40e5-964f-47a8950d210f") from None


def ripe_org(raw: Any) -> str:
    """The handle of an organisation object at an address registry."""
    given = values.text(40)(raw).upper()
    if not _RIPE_ORG.fullmatch(given):
        raise values.wrong("an organisation's handle is right, such as ORG-EX1-RIPE")
    return given


def names(raw: Any) -> list[dict[str, str]]:
    """Names in other languages: `[{"language": "fr", "name": ...}]`."""
    kept = {}
    for item in listed(raw):
        if not isinstance(item, Mapping) or set(item) != {"language", "name"}:
            raise values.wrong('a list of {"language": "fr", "name": "..."} is right')
        tag, name = values.language(item["language"]), values.text(300)(item["name"])
        kept[tag, name] = {"language": tag, "name": name}
    return list(kept.values())


def memberships(raw: Any) -> list[dict[str, str | None]]:
    """Communities the team belongs to, since when: `[{"name": "FIRST", "since": null}]`."""
    kept = {}
    for item in listed(raw):
        if not isinstance(item, Mapping) or "name" not in item or set(item) - {"name", "since"}:
            raise values.wrong('a list of {"name": "FIRST", "since": null} is right')
        name = values.text(100)(item["name"])
        since = item.get("since")
        kept[name] = {"name": name, "since": None if since is None else values.date(since)}
    return list(kept.values())


def each(check: Callable[[Any], str]) -> Callable[[Any], list[str]]:
    """A check for a list of words, each kept once."""

    def read(raw: Any) -> list[str]:
        return list(dict.fromkeys(check(item) for item in listed(raw)))

    return read


def label(raw: Any) -> str:
    """A TLP label in its one spelling."""
    return tlp.parse(raw if isinstance(raw, str) else "")


def kind_of_report(raw: Any) -> str:
    """A class of the incident taxonomy, `class/type`, or a kind of notification such as sample_request."""
    if raw in NOTIFICATION_KINDS:
        return str(raw)
    class_, slash, type_ = (raw if isinstance(raw, str) else "").partition("/")
    rsit.check(class_, type_ if slash else None)
    return str(raw)


def promise(raw: Any) -> dict[str, str] | None:
    """What the team promises, by rules.PROMISES, as ISO 8601 durations; None when it promises nothing."""
    if not isinstance(raw, Mapping) or any(name not in rules.PROMISES for name in raw):
        raise values.wrong('an object such as {"acknowledgement": "PT24H", "answer": "P3D"} is right')
    given = {name: raw[name] for name in rules.PROMISES if raw.get(name) is not None}
    for name, length in given.items():
        try:
            times.duration(length if isinstance(length, str) else "")
        except Invalid as error:
            raise values.wrong(f"{name}: {error.message}") from None
    return {name: length.strip() for name, length in given.items()} or None


def declarer(raw: Any) -> str:
    """Who declares it: `self` for the team itself, else a name."""
    return values.text(200)(raw)


def listed(raw: Any) -> Sequence[Any]:
    """A list of at most MOST_ITEMS."""
    if not isinstance(raw, list) or len(raw) > MOST_ITEMS:
        raise values.wrong(f"a list of at most {MOST_ITEMS} is right")
    return raw


# Every field of a team; a value that passes is kept as it comes back.
FACTS: dict[str, Callable[[Any], Any]] = {
    "name": values.text(300),
    "short_name": values.text(100),
    "kind": values.one_of(rules.TEAM_KINDS),
    "country": values.country,
    "website": values.url,
    "languages": each(values.language),
    "timezone": values.timezone,
    "host_kind": values.one_of(rules.HOST_KINDS),
    "memberships": memberships,
    "parent": values.slug,
    "names": names,
    "business_hours": hours,
    "established": values.date,
    "rfc2350": values.url,
    "rfc2350_date": values.date,
    "first_id": values.text(100),
    "ti_url": values.url,
    "ripe_org": ripe_org,
    "misp_uuid": misp_uuid,
    "cna_name": values.text(100),
    "host_declared_by": declarer,
    "law_enforcement": values.one_of(rules.LAW_ENFORCEMENT),
    "law_enforcement_declared_by": declarer,
    "neutrality_policy": values.url,
    "neutrality_declared_by": declarer,
    "accepts_private": flag,
    "accepts_abroad": flag,
    "line": values.one_of(rules.LINES),
    "encryption_required": flag,
    "accepts_samples": flag,
    "samples_how": values.text(500),
    "size_limit": values.whole(1, LARGEST),
    "tlp": each(label),
    "opt_outs": each(kind_of_report),
    "intake": each(values.one_of(rules.INTAKE)),
    "promise": promise,
}
