"""A team's desk: what was told to it as rows of a table, in the names that IntelMQ has for them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pocdir.core.cells import harmless
from pocdir.core.times import isoformat, zone_or_utc

DAY = dt.timedelta(days=1)
TAKES = ("follow_up", "referral")  # what a team may take without a person's yes to each letter
APART = dt.timedelta(hours=20)  # two daily mails, also where hour or zone is changed between them
DIGEST_STALE = dt.timedelta(hours=20)  # what could not be sent until then is told by the next one
COLUMNS = (
    "time.source", "source.ip", "source.fqdn", "source.url", "source.port", "malware.hash.md5", "malware.hash.sha1",
    "malware.hash.sha256", "malware.hash", "classification.taxonomy", "classification.type", "tlp",
    "event_description.text", "extra.ref", "extra.kind", "extra.sender", "extra.sent_at", "extra.asked_for",
    "extra.response", "extra.withdrawn_at",
)  # fmt: skip
_BY_KIND = {"ip": "source.ip", "domain": "source.fqdn", "url": "source.url"}
_BY_LENGTH = {32: "malware.hash.md5", 40: "malware.hash.sha1", 64: "malware.hash.sha256"}


def rows(told: Iterable[Mapping[str, Any]]) -> Iterator[list[str]]:
    """A row for each asset of what was told (as API answers it), one without an asset where there is none."""
    for each in told:
        about = _about(each)
        for asset in each["assets"] or [None]:
            found = about | (_concerned(asset) if asset else {})
            yield [_cell(found.get(name)) for name in COLUMNS]


def _about(told: Mapping[str, Any]) -> dict[str, Any]:
    asked = (each["due_at"] for each in told["expect"])
    return {
        "time.source": told["since"],
        "classification.taxonomy": told["class"],
        "classification.type": told["type"],
        "tlp": told["tlp"],
        "event_description.text": told["subject"],
        "extra.ref": told["ref"],
        "extra.kind": told["kind"],
        "extra.sender": told["sender"],
        "extra.sent_at": told["sent_at"],
        "extra.asked_for": min(asked, default=None),
        "extra.response": told["response"],
        "extra.withdrawn_at": told["withdrawn_at"],
    }


def _concerned(asset: Mapping[str, Any]) -> dict[str, Any]:
    value = str(asset["value"])
    name = _BY_KIND.get(asset["kind"]) or _BY_LENGTH.get(len(value), "malware.hash")
    return {name: value, "source.port": asset.get("port")}


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return isoformat(value) if isinstance(value, dt.datetime) else harmless(str(value))


def next_look(now: dt.datetime, hour: int, zone: str | None) -> dt.datetime:
    """The next time that it is `hour` in the team's zone (UTC where none is known), later than `now`."""
    there = now.astimezone(zone_or_utc(zone))
    at = there.replace(hour=hour, minute=0, second=0, microsecond=0)
    while at.astimezone(dt.UTC) <= now:
        at += DAY
    return at.astimezone(dt.UTC)


def may_send(sent_at: dt.datetime | None, now: dt.datetime) -> bool:
    """Whether the last daily mail is long enough ago."""
    return sent_at is None or now - sent_at >= APART
