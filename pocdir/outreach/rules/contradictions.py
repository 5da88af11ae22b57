"""Whether a new fact about a notification can stand beside what is recorded already."""

from __future__ import annotations

from collections.abc import Sequence

from pocdir.core.errors import Conflict, Invalid
from pocdir.ledger.rules.events import Event
from pocdir.outreach.rules.corrections import check_correction, counting, may_take_back, taken_back
from pocdir.outreach.rules.fold import REMEDIED, state_of


def check(event: Event, before: Sequence[Event]) -> None:
    """Check an event that is to follow `before`, all events of its notification.

    Raises Invalid `event_not_found`, `event_final`, Forbidden `event_not_yours` for one that names another; Conflict
    `clock_not_running`, `clock_not_paused`, `nothing_remedied` for one that says that something has ended which never
    began, and `was_sent` for a withdrawal that says that nothing was sent, against evidence that it was.
    """
    if name := event.payload.get("event"):
        named = next((each for each in (*before, event) if each.id == name), None)
        check_correction(event, named, is_back=name in taken_back(before))
    elif event.type == "ack.retracted":
        _check_retracted(event, before)
    elif event.type == "outcome.relapsed":
        _check_relapsed(event, before)
    elif event.type == "notification.withdrawn":
        _check_withdrawn(event, before)
    elif event.type.startswith("expectation.") and event.type != "expectation.set":
        _check_clock(event, before)


def _check_retracted(event: Event, before: Sequence[Event]) -> None:
    given = (each for each in counting(before) if each.type == "ack.given")
    if not any(may_take_back(event, each) for each in given):
        raise Invalid("event_not_found", "there is no acknowledgement of yours to take back", where="type")


def _check_relapsed(event: Event, before: Sequence[Event]) -> None:
    if not any(each.type in REMEDIED and each.occurred_at <= event.occurred_at for each in counting(before)):
        message = (
            "nothing says that it was put in order before: record that first, or what was seen as a sighting"
        )
        raise Conflict("nothing_remedied", message, where="type")


def _check_withdrawn(event: Event, before: Sequence[Event]) -> None:
    """A mistake, which counts in no figure, is what never happened; a withdrawal without a reason counts as one."""
    if event.payload.get("reason", "mistake") == "mistake" and state_of(before).sent_level != "P0":
        message = "there is evidence that it was sent, so it did happen: give the reason why it is withdrawn"
        raise Conflict("was_sent", message, where="payload.reason")


def _check_clock(event: Event, before: Sequence[Event]) -> None:
    """An expectation is changed only where it was set, paused while its clock runs, and resumed while it is paused."""
    named = event.payload.get("expectation")
    if named is not None and named not in {each.id for each in before if each.type == "expectation.set"}:
        message = "this notification has no such expectation"
        raise Invalid("event_not_found", message, where="payload.expectation")
    state = state_of(before)
    meant = {each.state for each in state.expectations if named in (None, each.id)}
    if event.type == "expectation.paused" and meant <= {"paused", "stopped"}:
        raise Conflict("clock_not_running", "no clock of it runs that could be paused", where="type")
    if event.type == "expectation.resumed" and ("paused" not in meant or state.unsent):
        raise Conflict("clock_not_paused", "no clock of it is paused", where="type")
