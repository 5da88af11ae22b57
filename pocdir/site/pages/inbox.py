"""Mail that came in: what waits for a person, what was done, what answers no letter of ours; words as text alone."""

from __future__ import annotations

from typing import Any

from flask import flash, g, redirect, render_template, url_for
from flask_babel import gettext as _

from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.db import db, transaction
from pocdir.mail import queries, receiving
from pocdir.mail.models import ACTED, KEPT, UNMATCHED, WAITS
from pocdir.site.pages.lookup import blueprint
from pocdir.site.pages.outbox import ON_A_PAGE
from pocdir.web import filters
from pocdir.web.paging import fetched, page_number

LISTS = {"waits": (WAITS,), "unmatched": (UNMATCHED,), "acted": (ACTED,), "kept": (KEPT,)}


@blueprint.get("/inbox")
@guard("outbox.read")
def inbox() -> str:
    """One of four lists, the newest first."""
    filters.only("result", "page")
    chosen = filters.chosen("result", LISTS, "waits")
    number = page_number()
    first = (number - 1) * ON_A_PAGE
    rows, total = queries.received_list(results=LISTS[chosen], offset=first, limit=ON_A_PAGE)
    counts = queries.received_counts()
    return render_template(
        "site/inbox.html",
        result=chosen,
        counts={name: sum(n for (it, _class), n in counts.items() if it in of) for name, of in LISTS.items()},
        page=fetched(rows, total, number, ON_A_PAGE),
    )


@blueprint.get("/inbox/<ref>")
@guard("outbox.read")
def inbox_mail(ref: str) -> str:
    """One mail: who, when, the writer's own words, and what became of it."""
    mail = queries.received(ref)
    letter = queries.letter(db.session(), mail.letter) if mail.letter else None
    waits = mail.seen_at is None and mail.result == WAITS
    return render_template("site/inbox_mail.html", mail=mail, letter=letter, waits=waits)


@blueprint.post("/inbox/<ref>/seen")
@guard("outbox.manage")
def mail_seen(ref: str) -> Any:
    """A steward has read it and done what was to be done."""
    with transaction() as session:
        receiving.see(session, ref=ref, now=clock.now(), actor=g.principal.actor)
    flash(_("Marked as read."), "success")
    return redirect(url_for("site.inbox"))
