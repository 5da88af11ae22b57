"""What a page's address may narrow a list to: read, or refused with what would be right."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from flask import request
from marshmallow import ValidationError

from pocdir.core.errors import Invalid
from pocdir.core.refs import is_ref
from pocdir.core.times import duration


def only(*names: str) -> None:
    """Raises ValidationError for a name that narrows nothing here: else a list would look narrowed and is not."""
    unknown = [name for name in request.args if name not in (*names, "lang")]
    if unknown:
        right = f"This page knows no such choice; these are right: {', '.join(names)}."
        raise ValidationError({name: [right] for name in unknown})


def chosen(name: str, choices: Collection[str], default: str = "") -> str:
    """One of the choices, the default where nothing is said; raises ValidationError for anything else."""
    said = request.args.get(name, "").strip()
    if said and said not in choices:
        raise ValidationError({name: [f"One of these is right: {', '.join(filter(None, choices))}."]})
    return said or default


def length(name: str) -> tuple[str, dt.timedelta | None]:
    """A length of time as it was written, and what it means; raises ValidationError."""
    said = request.args.get(name, "").strip()
    try:
        return said, duration(said) if said else None
    except Invalid as refusal:
        raise ValidationError({name: [refusal.message]}) from None


def reference(name: str) -> str:
    """A reference, or ""; raises ValidationError."""
    said = request.args.get(name, "").strip()
    if said and not is_ref(said):
        raise ValidationError({name: ["This is no reference."]})
    return said
