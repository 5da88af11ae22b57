"""The form with a team's entry: what is in force in its boxes, and what was typed as records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from flask import render_template, request

from pocdir.core import tlp
from pocdir.core.errors import Refusal
from pocdir.directory.formats import records
from pocdir.directory.formats.records import ChannelRecord, ResponsibilityRecord
from pocdir.directory.pages import boxes
from pocdir.directory.queries import entries
from pocdir.directory.queries.entries import Entry
from pocdir.directory.rules import record as rules
from pocdir.web.forms import NOT_DATA, Form, differing

Record = TypeVar("Record", ChannelRecord, ResponsibilityRecord)


def stale_page(slug: str) -> str:
    """The form with what stands now, beside what was typed over an older state: row N may be another row by now."""
    entry = entries.entry(slug, audiences=entries.EVERYBODY)
    standing = boxes.typed(entry)
    named = [name for name in request.form if name not in (*NOT_DATA, *boxes.TICKED, "revision", "evidence")]
    shown = Form(values=standing | {"evidence": request.form.get("evidence", "")})
    yours = differing(request.form, standing, named)
    return edit_page(entry, shown, len(entry.channels), len(entry.responsibilities), yours)


def edit_page(
    entry: Entry | None,
    typed: Form,
    channels: int,
    responsibilities: int,
    yours: Mapping[str, str] | None = None,
    *,
    proposing: bool = False,
) -> str:
    """The page with the form; `yours` is what was typed over an older state."""
    ticked = {name: [it] for name in boxes.TICKED if isinstance(it := typed.values.get(name, []), str)}
    typed.values = {**typed.values, **ticked}
    return render_template(
        "directory/team_edit.html",
        yours=yours,
        proposing=proposing,
        team=entry.team._mapping if entry else None,
        form=typed,
        channels=min(channels, boxes.MOST_ROWS) + 2,
        responsibilities=min(responsibilities, boxes.MOST_ROWS) + 2,
        kinds=rules.TEAM_KINDS,
        channel_kinds=rules.CHANNEL_KINDS,
        purposes=rules.PURPOSES,
        keys=rules.RESPONSIBILITY_KEYS,
        roles=rules.ROLES,
        audiences=rules.AUDIENCES,
        host_kinds=rules.HOST_KINDS,
        law_enforcement=rules.LAW_ENFORCEMENT,
        lines=rules.LINES,
        labels=tlp.LABELS,
        intake=rules.INTAKE,
        promises=rules.PROMISES,
    )


def rows_of(typed: Form, name: str, stood: list[Any], check: Callable[[Any], Record]) -> list[dict[str, Any]]:
    """The rows to be in force: the Nth box stands for the Nth row shown, further boxes for new rows."""
    rows = [{column: getattr(row, column) for column in boxes.COLUMNS[name]} for row in stood]
    given_rows, shown = typed.data.get(name, ()), min(len(rows), boxes.MOST_ROWS)
    wanted = rows[min(len(given_rows), shown) :]
    for n, box in enumerate(given_rows):
        old = rows[n] if n < shown else {}
        given = {column: value for column, value in box.items() if column != "remove"}
        if box["remove"] or not box["value"]:
            continue
        row = {**old, **given}
        try:
            check(row)
            wanted.append(row)
        except Refusal as refusal:
            for where, words in refusal.errors.items():
                typed.errors[f"{name}.{n}.{where}"] = words
    return wanted


def check_facts(typed: Form) -> None:
    """Say beside its box what is wrong with each fact, together with what is wrong elsewhere in the form."""
    if not typed.data:
        return
    try:
        records.facts(boxes.facts(typed.data, request.form))
    except Refusal as refusal:
        refuse(typed, refusal)


def refuse(typed: Form, refusal: Refusal) -> None:
    """Beside the box that it names, else above the form."""
    for where, words in (refusal.errors or {"form": [refusal.message]}).items():
        box = where.replace("[", ".").replace("]", "")
        typed.errors.setdefault("form" if box[-1].isdigit() else box, []).extend(words)
