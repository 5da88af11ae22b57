"""That a sample came, or that there is none: said by a person, who need not name what was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pocdir.core.errors import Conflict
from pocdir.ledger.rules.events import Event
from pocdir.outreach.rules.fold import state_of

MET: Mapping[str, Mapping[str, Any]] = {
    "expectation.changed": {"state": "met"}
}  # what a choice of a page says


def is_unnamed(type_: str, payload: Mapping[str, Any]) -> bool:
    """Whether it says that something came, and not what."""
    return type_ in MET and payload.get("state") == "met" and "expectation" not in payload


def named(payload: Mapping[str, Any], before: Sequence[Event]) -> list[dict[str, Any]]:
    """The same of each sample that `before`, all events of a notification, still asks for; no answer ends these.

    Raises Conflict `no_sample_asked`.
    """
    asked = [it.id for it in state_of(before).expectations if it.of == "sample" and it.state != "stopped"]
    if not asked:
        message = "no sample is asked for here, or no longer; name the expectation if another thing came"
        raise Conflict("no_sample_asked", message, where="type")
    return [{**payload, "expectation": each} for each in asked]
