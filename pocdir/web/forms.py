"""An HTML form through the same schema as the API: nested values in, errors beside the fields out."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask_babel import gettext
from marshmallow import Schema, ValidationError
from marshmallow import fields as ma_fields
from werkzeug.datastructures import MultiDict

from pocdir.core.errors import Refusal
from pocdir.web.errors import flat_messages, sentence

MOST_STEPS = 6
_STEP = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]{1,4}")
NOT_DATA = (
    "csrf_token",
    "once",
    "next",
    "action",
    "username",
)  # the last tells a password manager whose it is


@dataclass
class Form:
    """What was typed, what it means, and what is wrong with it."""

    values: Mapping[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, list[str]] = field(default_factory=dict)

    @property
    def valid(self) -> bool:
        return not self.errors

    def refuse(self, refusal: Refusal) -> None:
        """Show a refusal beside the field it names, else above the form."""
        self.errors.setdefault(refusal.where or "form", []).append(sentence(gettext(refusal.message)))


def form(schema: Schema, typed: MultiDict[str, str]) -> Form:
    """Load a submitted form. An empty box is an absent value; a box that is not ticked is False."""
    values = nested(schema, typed)
    shown = {name: typed.getlist(name) if len(typed.getlist(name)) > 1 else typed[name] for name in typed}
    try:
        return Form(values=shown, data=schema.load(values))
    except ValidationError as error:
        return Form(values=shown, errors=flat_messages(error.messages))


def press(typed: MultiDict[str, str]) -> str | None:
    """The key of one press of a button: the same page (its `once`) sent again with the same words has the same.

    None for a form that carries no `once`.
    """
    if not typed.get("once"):
        return None
    words = sorted((name, value) for name, value in typed.items(multi=True) if name != "csrf_token")
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()


def nested(schema: Schema, typed: MultiDict[str, str]) -> dict[str, Any]:
    """`expect.0.of=answer` becomes `{"expect": [{"of": "answer"}]}`.

    A name that is no such path stays whole, so that the schema refuses it as one it does not know.
    """
    tree: dict[str, Any] = {}
    for name in typed:
        if name in NOT_DATA:
            continue
        values = [value for value in typed.getlist(name) if value.strip()]
        steps = _steps(name)
        is_list = isinstance(schema.fields.get(steps[0]), ma_fields.List) and len(steps) == 1
        if values or is_list:
            _put(tree, steps, values if is_list else values[-1])
    for name, kind in schema.fields.items():
        if isinstance(kind, ma_fields.Boolean) and not kind.dump_only:
            tree.setdefault(name, False)
    read = {name: _lists(value) for name, value in tree.items()}
    tick(schema, read)
    return read


def tick(schema: Schema, read: Any) -> None:
    """Where everything is a word: what a schema takes as true or false alone becomes that, in place."""
    for name, kind in schema.fields.items() if isinstance(read, dict) else ():
        value = read.get(name)
        inner = kind.inner if isinstance(kind, ma_fields.List) else kind
        if isinstance(kind, ma_fields.Boolean) and isinstance(value, str):
            read[name] = True if value in kind.truthy else False if value in kind.falsy else value
        elif isinstance(inner, ma_fields.Nested):
            for each in value if isinstance(value, list) else [value]:
                tick(inner.schema, each)


def _steps(name: str) -> list[str]:
    steps = name.split(".")
    return steps if len(steps) <= MOST_STEPS and all(map(_STEP.fullmatch, steps)) else [name]


def _put(tree: dict[str, Any], steps: list[str], value: Any) -> None:
    for step in steps[:-1]:
        inner = tree.setdefault(step, {})
        if not isinstance(inner, dict):
            return
        tree = inner
    tree[steps[-1]] = value


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {key: _lists(item) for key, item in value.items()}
    if inner and all(key.isdigit() for key in inner):
        return [inner[key] for key in sorted(inner, key=int)]
    return inner


def differing(typed: Mapping[str, str], standing: Mapping[str, Any], names: Iterable[str]) -> dict[str, str]:
    """What was typed into these boxes and is not what stands: shown beside a form that had grown stale."""
    told = {name: _typed_as(standing.get(name)) for name in names}
    return {
        name: said for name, stands in told.items() if (said := _lines(typed.get(name, ""))) != _lines(stands)
    }


def _typed_as(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else ""
    return "" if value is None else str(value)


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").strip()


def utc_moments(typed: Mapping[str, str], names: Sequence[str]) -> MultiDict[str, str]:
    """The form with what a browser's picker writes (`2026-11-02T14:05`, meant in UTC) as RFC 3339."""
    read = MultiDict(typed)
    for name in names:
        if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?", read.get(name, "")):
            read[name] = read[name] + "Z"
    return read
