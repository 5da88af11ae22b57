"""The outbox: what waits, what was sent, what could not be, and each letter to copy where a person sends it."""

from __future__ import annotations

from typing import Any

from flask import flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _

from pocdir import running
from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.core.errors import Conflict, Forbidden, Invalid
from pocdir.db import transaction
from pocdir.directory.rules.approval import NOTICES
from pocdir.directory.rules.checks import LETTERS
from pocdir.mail import actions, queries
from pocdir.mail.models import CLAIMED, SENT, STALE, UNSENT, WAITING, WITHDRAWN, Mail
from pocdir.outreach.rules.letter import mailto_url
from pocdir.site.actions import outbox as reading
from pocdir.site.pages.lookup import blueprint
from pocdir.web import filters
from pocdir.web.paging import fetched, page_number

ON_A_PAGE = 50
LISTS = {"waiting": WAITING, "unsent": UNSENT, "sent": (SENT,), "withdrawn": (WITHDRAWN,)}


@blueprint.get("/outbox")
@guard("outbox.read")
def outbox() -> str:
    """One of four lists, the newest first."""
    filters.only("state", "page")
    chosen = filters.chosen("state", LISTS, "waiting")
    number = page_number()
    first = (number - 1) * ON_A_PAGE
    mails, total = queries.listed(states=LISTS[chosen], offset=first, limit=ON_A_PAGE)
    counts = queries.counts()
    return render_template(
        "site/outbox.html",
        relay=_relay(),
        state=chosen,
        is_ours=_is_ours,
        counts={name: sum(counts.get(state, 0) for state in states) for name, states in LISTS.items()},
        page=fetched(mails, total, number, ON_A_PAGE),
    )


@blueprint.get("/outbox/<ref>")
@guard("outbox.read")
def outbox_letter(ref: str) -> str:
    """One letter, to copy or to open in a mail program."""
    return _letter(queries.mail(ref))


@blueprint.post("/outbox/<ref>/read")
@guard("outbox.manage")
def read_letter(ref: str) -> str:
    """The same with its link for a person who sends it; that it was read is recorded."""
    _require_ours(queries.mail(ref))
    if _relay() is not None:
        raise Forbidden("forbidden", "your account may not do this")
    with transaction() as session:
        mail = reading.read_letter(session, ref=ref, now=clock.now(), actor=g.principal.actor)
    return _letter(mail, is_read=True)


def _letter(mail: Mail, *, is_read: bool = False) -> str:
    relay = _relay()
    # Who holds such a link is taken for the mailbox that it was sent to.
    for_its_reader = reading.is_for_its_reader(mail)
    ours, unsent = _is_ours(mail), mail.state not in (SENT, CLAIMED, WITHDRAWN)
    open_ = mail.body is not None and ours and not (for_its_reader and relay)
    readable = open_ and (is_read or not for_its_reader)
    return render_template(
        "site/outbox_letter.html",
        mail=mail,
        relay=relay,
        is_ours=ours,
        readable=readable,
        may_read=open_ and not readable,
        mailto=_mailto(mail) if readable and unsent else None,
        may_retry=unsent and ours and mail.state != STALE and mail.body is not None,
        may_mark=unsent and ours and not (relay and mail.kind in NOTICES),
        may_withdraw=unsent and ours and mail.kind not in NOTICES,
    )


@blueprint.post("/outbox/<ref>/retry")
@guard("outbox.manage")
def retry_letter(ref: str) -> Any:
    """Begin anew with the attempts."""
    with transaction() as session:
        _require_ours(queries.mail(ref, session))
        actions.retry(session, ref=ref, now=clock.now(), actor=g.principal.actor)
    flash(_("It is tried again from now on."), "success")
    return redirect(url_for("site.outbox_letter", ref=ref))


@blueprint.post("/outbox/<ref>/sent")
@guard("outbox.manage")
def letter_sent(ref: str) -> Any:
    """A person sent it with a mail program."""
    with transaction() as session:
        mail = _require_ours(queries.mail(ref, session))
        _refuse_notice(mail, bool(_relay()))
        actions.mark_sent_by_hand(session, ref=ref, now=clock.now(), actor=g.principal.actor)
    flash(_("Marked as sent."), "success")
    return redirect(url_for("site.outbox"))


@blueprint.post("/outbox/<ref>/withdraw")
@guard("outbox.manage")
def withdraw_letter(ref: str) -> Any:
    """Take it back before it is sent."""
    reason = request.form.get("reason", "").strip()[:300] or None
    with transaction() as session:
        _refuse_notice(_require_ours(queries.mail(ref, session)), True)
        actions.withdraw(session, ref=ref, now=clock.now(), actor=g.principal.actor, reason=reason)
    flash(_("Withdrawn: it will not be sent."), "success")
    return redirect(url_for("site.outbox"))


def _is_ours(mail: Mail) -> bool:
    """Whether the service writes it for itself: a check of an entry goes under its reference too."""
    return mail.notification is None or mail.kind in LETTERS


def _require_ours(mail: Mail) -> Mail:
    if not _is_ours(mail):
        raise Conflict("mail_of_a_workspace", "this letter belongs to a notification; its workspace decides")
    return mail


def _refuse_notice(mail: Mail, where: bool) -> None:
    """Whoever is kept from a change by a notice does not keep the notice from its readers."""
    if where and mail.kind in NOTICES:
        raise Forbidden("forbidden", "your account may not do this")


def _relay() -> str | None:
    """Where letters go by themselves; None: nowhere."""
    settings = running.settings()
    return settings.relay.shown if settings.relay and not settings.demo else None


def _mailto(mail: Mail) -> str | None:
    try:
        return mailto_url(mail.to, mail.subject, mail.body or "", _)
    except Invalid:
        return None
