"""Whether an event may enter the ledger: of a type that is known, with the payload that its type has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pocdir.core.errors import Invalid
from pocdir.ledger.rules.payload import kept
from pocdir.ledger.rules.vocabulary import VOCABULARY, EventType


def event_type(type_: str) -> EventType:
    """The vocabulary's entry; raises Invalid `event_unknown`."""
    known = VOCABULARY.get(type_)
    if known is None:
        raise Invalid("event_unknown", f"{type_[:60]!r} is no event of this service", where="type")
    return known


def check_event(type_: str, payload: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(plain, sealed) values of a payload, times in one spelling, names without a value left out.

    Every event passes here on its way into the ledger (`ledger.actions`), and nowhere before.

    Raises Invalid `event_unknown` or `payload_invalid`; `where` is the first name at fault (`payload.to`),
    and `errors` has them all.
    """
    names = event_type(type_).names
    if not isinstance(payload, Mapping):
        raise _refused({"payload": ["an object is needed"]})
    errors: dict[str, list[str]] = {}
    plain: dict[str, Any] = {}
    sealed: dict[str, Any] = {}
    for key in payload:
        if key not in names:
            errors[f"payload.{str(key)[:60]}"] = [f"{type_} has no such name"]
    for key, name in names.items():
        value = payload.get(key)
        try:
            if value is not None:
                (sealed if name.sealed else plain)[key] = kept(name, value)
            elif name.required:
                raise ValueError("this is needed")
        except (ValueError, Invalid) as refused:
            errors[f"payload.{key}"] = [next(iter(refused.args), str(refused))]
    if errors:
        raise _refused(errors)
    return plain, sealed


def _refused(errors: dict[str, list[str]]) -> Invalid:
    where, messages = next(iter(errors.items()))
    return Invalid("payload_invalid", messages[0], where=where, errors=errors)
