"""A steward's pages of the quarantine: the imports of which something waits, and one of them with its changes."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from marshmallow import fields, validate

from pocdir.accounts import queries as accounts
from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.core.errors import Invalid
from pocdir.db import db, transaction
from pocdir.directory.presentation import difference
from pocdir.directory.quarantine.actions import decide
from pocdir.directory.quarantine.actions.decide import DecidedRow
from pocdir.directory.quarantine.queries import waiting
from pocdir.directory.quarantine.queries.waiting import Item
from pocdir.web import filters
from pocdir.web.forms import form
from pocdir.web.paging import fetched, page_number
from pocdir.web.schemas import Schema, Text

blueprint = Blueprint("quarantine", __name__)
IMPORTS_ON_A_PAGE, TEAMS_ON_A_PAGE = 50, 20
MOST_CHANGES = 50  # of one team on the page; the command line shows them all


class DecisionForm(Schema):
    """What a steward decides: of one row, or of all that waits of the import."""

    what = fields.String(required=True, validate=validate.OneOf(("accept", "refuse")))
    item = Text(max=36, load_default=None)
    revision = fields.Integer(load_default=None)
    reason = Text(max=2000, lines=True, load_default=None)
    sure = fields.Boolean(load_default=False)


@blueprint.get("/directory/quarantine")
@guard("quarantine.read")
def quarantine() -> str:
    """Imports of which something waits, or those that are decided."""
    filters.only("state", "page")
    waits, number = filters.chosen("state", ("waiting", "decided")) != "decided", page_number()
    first = (number - 1) * IMPORTS_ON_A_PAGE
    rows, total = waiting.imports(waiting=waits, offset=first, limit=IMPORTS_ON_A_PAGE)
    return render_template(
        "directory/quarantine.html",
        state="waiting" if waits else "decided",
        page=fetched(rows, total, number, IMPORTS_ON_A_PAGE),
    )


@blueprint.get("/directory/quarantine/<ref>")
@guard("quarantine.read")
def quarantined(ref: str) -> str:
    """One import: why it waits, and what it would change, team by team."""
    number = page_number()
    first, counts = (number - 1) * TEAMS_ON_A_PAGE, waiting.counts(ref)
    stewards, now = accounts.steward_refs(db.session()), clock.now()
    rows = waiting.items(state=None, import_ref=ref, offset=first, limit=TEAMS_ON_A_PAGE)
    return render_template(
        "directory/quarantined.html",
        note=waiting.import_of(ref),
        counts=counts,
        may_accept=bool(waiting.refs_of(ref)),
        page=fetched(
            [_shown(it, stewards, now) for it in rows], sum(counts.values()), number, TEAMS_ON_A_PAGE
        ),
    )


@blueprint.post("/directory/quarantine/<ref>")
@guard("quarantine.decide")
def decide_quarantined(ref: str) -> Any:
    """Accept or refuse one row or all; asked once more for all, and for what is guarded."""
    typed = form(DecisionForm(), request.form)
    if not typed.valid:
        where, words = next(iter(typed.errors.items()))
        raise Invalid("form_invalid", words[0], where=where, errors=typed.errors)
    said = typed.data
    accepts = said["what"] == "accept"
    if not said["sure"] and (said["item"] is None or (accepts and waiting.item(said["item"]).is_guarded)):
        return _asked(ref, said)
    with transaction() as session:
        refs = [said["item"]] if said["item"] else waiting.refs_of(ref, changes=accepts)
        told = {"refs": refs, "note": said["reason"], "now": clock.now(), "actor": g.principal.actor}
        if accepts:
            seen = {said["item"]: said["revision"]} if said["item"] else None
            domain = current_app.extensions["pocdir"].mail_domain
            decided = decide.accept(session, seen=seen, mail_domain=domain, **told)
        else:
            decided = decide.refuse(session, **told)
    _flash(decided)
    return redirect(url_for("quarantine.quarantined", ref=ref))


def _asked(ref: str, said: dict[str, Any]) -> str:
    """The question before all of an import, or before what is guarded."""
    note, accepts = waiting.import_of(ref), said["what"] == "accept"
    if said["item"]:
        it = waiting.item(said["item"])
        title = _("Accept this change of %(team)s?", team=it.row.name or it.row.team)
        text = _(
            "Reports about a country would go where this says. Accept it only when you know it from the team itself."
        )
    else:
        number = len(waiting.refs_of(ref, changes=accepts))
        if accepts:
            title = ngettext("Accept all %(num)s change?", "Accept all %(num)s changes?", number)
            text = _("The directory then says what %(source)s says.", source=note.source)
        else:
            title = ngettext("Refuse all %(num)s change?", "Refuse all %(num)s changes?", number)
            text = _(
                "The directory stays as it is, and the same changes of %(source)s are not held again.",
                source=note.source,
            )
    fields_ = {name: value for name, value in said.items() if value not in (None, False)}
    return render_template(
        "confirm.html",
        title=title,
        text=text,
        action=url_for("quarantine.decide_quarantined", ref=ref),
        fields=fields_ | {"sure": "true"},
        button=_("Accept") if accepts else _("Refuse"),
        danger=False,
        cancel=url_for("quarantine.quarantined", ref=ref),
    )


def _flash(decided: list[DecidedRow]) -> None:
    """One sentence for each of what became of them."""
    became: dict[str, list[DecidedRow]] = {}
    for it in decided:
        became.setdefault("missing" if it.became == "waits" and it.missing else it.became, []).append(it)
    number = {name: len(some) for name, some in became.items()}
    for name, some in became.items():
        tone = "success" if name in ("accepted", "refused", "seen") else "warning"
        flash(_sentence(name, number[name], some[0]), tone)


def _sentence(name: str, number: int, one: DecidedRow) -> str:
    if name == "accepted":
        return ngettext("Accepted: %(num)s team.", "Accepted: %(num)s teams.", number)
    if name == "refused":
        return ngettext("Refused: %(num)s team.", "Refused: %(num)s teams.", number)
    if name == "seen":
        return _("Seen: the file does not wait here any more.")
    if name == "missing":
        return _("Noted. It takes effect when another steward accepts it too; the team was told.")
    if name == "waits":
        at = f"{one.until:%Y-%m-%d %H:%M}"
        return _(
            "Noted. It takes effect on %(time)s UTC; the team was told, and until then it can be refused.",
            time=at,
        )
    if name == "superseded":
        return _("The source says nothing else any more: nothing was left to accept.")
    return ngettext(
        "Not applied: %(num)s team was changed meanwhile. Look at it again.",
        "Not applied: %(num)s teams were changed meanwhile. Look at them again.",
        number,
    )


def _shown(it: Item, stewards: frozenset[str], now: Any) -> dict[str, Any]:
    changes = [change.as_dict() for change in difference.changes(it.change)]
    decision = it.decision(stewards, now)
    return {
        **it.row._mapping,
        "doubts": [doubt.words for doubt in it.doubts],
        "all": len(changes),
        "changes": changes[:MOST_CHANGES],
        "accepted_by_you": (g.principal.user_ref or "") in it.row.approvals,
        "missing": decision.missing,
        "until": decision.not_before if it.row.approvals and not decision.missing else None,
        "eyes": decision.needed.eyes,
        "delay": bool(decision.needed.delay),
    }
