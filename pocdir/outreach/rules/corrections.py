"""Which events count: each once, without what was taken back, mail as a person has re-classed it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pocdir.core.errors import Forbidden, Invalid
from pocdir.ledger.rules.events import ASSURANCES, Event
from pocdir.outreach.rules.posting import POSTED_BY

# Why something was taken back where no person says why, as codes that pages put into words.
UNDONE = "undone"  # through the recipient's link
UNDONE_IN_THREAD = "undone_in_thread"  # where the answer was given, so that it does not stand here either
SIGHTINGS_DIFFER = "sightings_differ"  # sightings that came later say otherwise
# What stands in the record for good: corrections themselves (record the fact again instead).
_FINAL = frozenset({"event.corrected", "classification.corrected", "ack.retracted"})
_MAIL = ("reply.", "delivery.", "disposition.")
_CLASSES = {
    "bounce": "delivery.failed",
    "delay": "delivery.delayed",
    "dsn_success": "delivery.delivered",
    "mdn": "disposition.displayed",
    "automatic": "reply.automatic",
    "human": "reply.human",
}


def counting(events: Iterable[Event]) -> list[Event]:
    """The events that count, by `occurred_at`, then id: the same for any order of arrival and any repetition.

    An `event.corrected` or `ack.retracted` takes back what its own claimant said, with no less assurance:
    nobody takes back another's word. A retraction that names no acknowledgement takes back all before it. Of
    several `classification.corrected` about one mail the last holds; `unrelated` and `arf` count nowhere.
    """
    known, ordered, void = _read(events)
    classes = {
        event.payload["event"]: event
        for event in ordered
        if event.type == "classification.corrected" and event.payload.get("event") in known
    }
    return [
        seen
        for event in ordered
        if event.id not in void and (seen := _as_classed(event, classes.get(event.id))) is not None
    ]


def taken_back(events: Iterable[Event]) -> set[str]:
    """The ids of the events that their own claimants took back."""
    return _read(events)[2]


def _read(events: Iterable[Event]) -> tuple[dict[str, Event], list[Event], set[str]]:
    """Each event by its id, all in order, and the ids of those that were taken back."""
    known = {event.id: event for event in events}
    ordered = sorted(known.values(), key=lambda event: (event.occurred_at, event.id))
    return known, ordered, {named.id for event in ordered for named in _taken_back(event, known, ordered)}


def may_take_back(correction: Event, named: Event) -> bool:
    """Whether the correction is its claimant's own to make: the same claimant, and no less assurance."""
    return (
        correction.claimed_by == named.claimed_by
        and _worth(correction) >= _worth(named)
        and _may_change(named)
    )


def check_correction(correction: Event, named: Event | None, *, is_back: bool = False) -> None:
    """Check an event that names another: `named` is that one, None when this notification has no such event.

    `is_back`: it was taken back before; what does not count any more is not taken back again.

    Raises Invalid `event_not_found` or `event_final`, Forbidden `event_not_yours`.
    """
    where = "payload.event"
    if named is None or named.notification != correction.notification:
        raise Invalid("event_not_found", "this notification has no such event", where=where)
    if correction.type == "classification.corrected":
        fits = named.type.startswith(_MAIL)
    elif correction.type == "ack.retracted":
        fits = named.type == "ack.given"
    else:
        fits = _may_change(named)
    if not fits:
        raise Invalid("event_final", f"{named.type} is not changed by {correction.type}", where=where)
    if correction.type != "classification.corrected" and not may_take_back(correction, named):
        raise Forbidden("event_not_yours", "only its own author takes it back", where=where)
    if is_back:
        raise Invalid("event_final", "it is taken back already; record the fact again instead", where=where)


def _may_change(named: Event) -> bool:
    """Only what somebody outside has said; what the service and its clock wrote stays."""
    if named.type == "thread.answered":  # drawn from somebody's word, and goes with it
        return True
    return bool(POSTED_BY.get(named.type)) and named.type not in _FINAL


def _taken_back(event: Event, known: Mapping[str, Event], ordered: list[Event]) -> list[Event]:
    if event.type not in ("event.corrected", "ack.retracted"):
        return []
    name = event.payload.get("event")
    if name is not None:
        candidates = [known[name]] if name in known else []
    elif event.type == "ack.retracted":
        candidates = ordered[: ordered.index(event)]
    else:
        candidates = []
    if event.type == "ack.retracted":
        candidates = [named for named in candidates if named.type == "ack.given"]
    return [named for named in candidates if may_take_back(event, named)]


def _as_classed(event: Event, correction: Event | None) -> Event | None:
    if correction is None or not event.type.startswith(_MAIL):
        return event
    as_type = _CLASSES.get(correction.payload["class"])
    if as_type is None:
        return None
    payload = {name: event.payload[name] for name in ("attempt", "status") if name in event.payload}
    if as_type == "reply.automatic":
        payload["subclass"] = correction.payload.get("subclass", "other")
    return event._replace(type=as_type, payload=payload)


def _worth(event: Event) -> int:
    return ASSURANCES.index(event.assurance) if event.assurance in ASSURANCES else 0
