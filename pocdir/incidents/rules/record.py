"""What the ledger is told of an incident, and what it says of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from pocdir.core import tlp
from pocdir.core.times import isoformat
from pocdir.ledger.rules.events import Event

# The word of an event's payload -> the incident's column.
FIELDS = {
    "title": "title", "description": "description", "source_ref": "source_ref", "tlp": "tlp",
    "class": "rsit_class", "type": "rsit_type", "detected_from": "detected_from", "detected_to": "detected_to",
    "people_at_risk": "people_at_risk", "quiet_after": "quiet_after",
}  # fmt: skip
OF_RED = ("tlp", "people_at_risk")  # all that the ledger is told of an incident that bears TLP:RED
ENDS = ("incident.closed", "incident.reopened")
_SEALED = ("title", "description", "source_ref")


def created(values: Mapping[str, Any]) -> dict[str, Any]:
    """The payload of `incident.created`; `values` by column."""
    return {"tlp": values["tlp"]} | _told(FIELDS, values)


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any] | None:
    """The payload of `incident.changed`, by columns before and after; None where nothing differs."""
    fields = [name for name, column in FIELDS.items() if before[column] != after[column]]
    if not fields:
        return None
    label = {"tlp_from": before["tlp"], "tlp_to": after["tlp"]} if "tlp" in fields else {}
    return {"fields": fields} | label | _told(fields, after)


def _told(fields: Iterable[str], values: Mapping[str, Any]) -> dict[str, Any]:
    is_red = values["tlp"] == tlp.RED
    names = (name for name in fields if name != "tlp" and (not is_red or name in OF_RED))
    return {name: as_told(values[FIELDS[name]]) for name in names}


def as_told(value: Any) -> Any:
    """A column's value as a payload has it."""
    return isoformat(value) if isinstance(value, dt.datetime) else value


def closing(events: Iterable[Event]) -> dict[str, dt.datetime | None]:
    """`closed_at` by the events of closing and reopening among these; nothing where there are none."""
    ends = [event for event in in_order(events) if event.type in ENDS]
    return {"closed_at": ends[-1].occurred_at if ends[-1].type == ENDS[0] else None} if ends else {}


def in_order(events: Iterable[Event]) -> list[Event]:
    """An incident's own events as they followed one another, whatever the clock did meanwhile."""
    return sorted(events, key=lambda event: (event.payload.get("revision", 0), event.id))


def recorded(events: Iterable[Event]) -> dict[str, Any]:
    """What an incident's own events say of its columns, by column; those of which they say nothing are absent.

    Nothing is said of what was kept out as RED, of a sealed value that was erased (or emptied: the events tell no
    difference), nor of an incident from before its events were recorded.
    """
    found: dict[str, Any] = {}
    ordered = in_order(event for event in events if event.type.startswith("incident."))
    for event in ordered:
        said = {**event.payload, **event.sealed}
        found["revision"] = said.get("revision")
        label = said.get("tlp_to") or said.get("tlp")
        if label:
            found["tlp"] = label
        if event.type == "incident.created":
            found |= {"created_at": event.occurred_at, "created_by": event.actor, "closed_at": None}
        fields = FIELDS if event.type == "incident.created" else said.get("fields", ())
        for name in fields:
            if name in said:
                found[FIELDS[name]] = said[name]
            elif name != "tlp":
                _forget(found, name)
    return found | closing(ordered)


def _forget(found: dict[str, Any], name: str) -> None:
    """The event has no value: a plain one is empty then, unless it was kept out."""
    if name in _SEALED or found.get("tlp") in (None, tlp.RED):
        found.pop(FIELDS[name], None)
    else:
        found[FIELDS[name]] = None
