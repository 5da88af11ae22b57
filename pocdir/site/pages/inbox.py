"""Mail that came in: what waits for a person, what was done, what answers no letter of ours; words as text alone."""

from __future__ import annotations

from typing import Any

from flask import flash, g, redirect, render_template, url_for
from flask_babel import gettext as _

from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.core.errors import NotFound
from pocdir.db import db, transaction
from pocdir.mail import queries, receiving
from pocdir.mail.models import ACTED, KEPT, UNMATCHED, UNREADABLE, WAITS, Received
from pocdir.site.pages.lookup import blueprint
from pocdir.site.pages.outbox import ON_A_PAGE
from pocdir.web import filters
from pocdir.web.paging import fetched, page_number

LISTS: dict[str, tuple[str | None, ...]] = {
    "waits": (WAITS,),
    "unreadable": (UNREADABLE,),
    "unread": (None,),
    "unmatched": (UNMATCHED,),
    "acted": (ACTED,),
    "kept": (KEPT,),
}


@blueprint.get("/inbox")
@guard("outbox.read")
def inbox() -> str:
    """One of six lists, the newest first. What answers a notification its workspace reads: here it is counted."""
    filters.only("result", "page")
    chosen = filters.chosen("result", LISTS, "waits")
    number = page_number()
    first = (number - 1) * ON_A_PAGE
    rows, total = queries.received_list(results=LISTS[chosen], offset=first, limit=ON_A_PAGE)
    counts = queries.received_counts()
    return render_template(
        "site/inbox.html",
        result=chosen,
        counts={name: sum(counts.get((it, False), 0) for it in of) for name, of in LISTS.items()},
        private=sum(n for (_result, is_private), n in counts.items() if is_private),
        private_unreadable=counts.get((UNREADABLE, True), 0),
        page=fetched(rows, total, number, ON_A_PAGE),
    )


@blueprint.get("/inbox/<ref>")
@guard("outbox.read")
def inbox_mail(ref: str) -> str:
    """One mail: who, when, the writer's own words, and what became of it."""
    mail = _ours(queries.received(ref))
    letter = queries.letter(db.session(), mail.letter) if mail.letter else None
    waits = mail.seen_at is None and mail.result in (WAITS, UNREADABLE)
    return render_template("site/inbox_mail.html", mail=mail, letter=letter, waits=waits)


@blueprint.post("/inbox/<ref>/seen")
@guard("outbox.manage")
def mail_seen(ref: str) -> Any:
    """A steward has read it and done what was to be done."""
    with transaction() as session:
        _ours(queries.received(ref, session))
        receiving.see(session, ref=ref, now=clock.now(), actor=g.principal.actor)
    flash(_("Marked as read."), "success")
    return redirect(url_for("site.inbox"))


def _ours(mail: Received) -> Received:
    """A mail that is the stewards' to read; what answers a notification is there for its workspace alone."""
    if mail.notification is not None:
        raise NotFound("mail_unknown", "there is no such mail")
    return mail
