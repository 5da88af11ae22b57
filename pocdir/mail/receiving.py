"""Keeping a mail that came in, and which letter of ours it speaks of; what follows from it, that letter's room says."""

from __future__ import annotations

import datetime as dt
import hmac
import traceback
from collections.abc import Callable, Collection
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO

import structlog
from sqlalchemy import select, update
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from pocdir.core.errors import Conflict, NotFound
from pocdir.core.refs import new_ref
from pocdir.db import inserts_once, table_of, transaction
from pocdir.mail import queries
from pocdir.mail.models import FORGOTTEN, KEPT, UNMATCHED, UNREADABLE, WAITS, Mail, Received
from pocdir.mail.rules import classes, delivery, first_line, mime, redaction, references
from pocdir.mail.rules.envelope import reply_sign
from pocdir.mail.rules.headers import one_line

MOST_KEPT = 4 << 20  # bytes of one mail; of a longer one the beginning
MOST_UNPROVEN = 64 << 10  # bytes of one that anybody may have written
MOST_READ = 64 << 20  # bytes after which nobody listens any more
_MARGIN = 8 << 10  # read beyond what is kept, so that no half of a secret stands at its end
_NOBODY_WROTE = mime.Read(mime.Entity({}, b""))
_CHUNK = 1 << 16
_ONCE = inserts_once(table_of(Received), "digest")
_log = structlog.get_logger("pocdir.mail")

Reader = Callable[[Session, Received, Mail | None], None]  # a room's: it settles what it is given


@dataclass(frozen=True, slots=True)
class Incoming:
    """The bytes of one mail, or their beginning; `size` and `digest` (SHA-256 in hex) are of all that came."""

    raw: bytes
    size: int
    digest: str


def taken_in(file: BinaryIO) -> Incoming:
    """Read a mail of any length with bounded memory."""
    kept, size, digest = bytearray(), 0, sha256()
    while size < MOST_READ and (chunk := file.read(_CHUNK)):
        digest.update(chunk)
        size += len(chunk)
        kept += chunk[: MOST_KEPT - len(kept)]
    return Incoming(bytes(kept), size, digest.hexdigest())


@dataclass(frozen=True, slots=True)
class Looked:
    """What was read of a mail, before anything is written."""

    incoming: Incoming
    mail: mime.Read
    named: references.References
    of: classes.Class
    is_readable: bool = True


def look(incoming: Incoming, *, secret: bytes, sender: str | None = None, to: str | None = None) -> Looked:
    """Read any bytes as a mail. `sender` and `to` are the envelope's, where the mail server says them (an empty
    sender: none)."""
    try:
        mail = mime.read(incoming.raw)
        named = references.references(mail, to=to, secret=secret)
        of = classes.classify(mail, sender=sender, is_to_envelope=named.is_to_envelope)
    except Exception as error:  # a mail that nobody foresaw is kept all the same
        _say_unreadable(error, digest=incoming.digest)
        nothing = classes.Class(classes.HUMAN, "unreadable")
        return Looked(incoming, _NOBODY_WROTE, references.References(), nothing, is_readable=False)
    return Looked(incoming, mail, named, of)


def keep(
    session: Session,
    looked: Looked,
    *,
    secret: bytes,
    now: dt.datetime,
    read: Collection[str],
    private: Collection[str] = (),
    copy_of: str | None = None,
) -> Received:
    """Keep one mail with what was read of it; the same bytes again are the row that stands.

    What answers no letter of ours is unmatched; what answers a letter of no kind in `read` (by some room) is settled at
    once; the rest has no result until its room has read it. `private`: kinds of letters whose workspace alone reads
    what comes back. `copy_of`: the notification that it claims to be a copy of, where it answers no letter.
    """
    mail, of = looked.mail, looked.of
    letter, proven = _letter(session, looked.named, secret)
    is_private = letter is not None and letter.kind in private
    copy_of = None if letter else copy_of
    said = delivery.of_address(delivery.recipients(mail.reports), letter.to) if letter else None
    row = {
        "ref": new_ref(now), "digest": looked.incoming.digest,
        "raw": _kept(looked.incoming.raw, MOST_KEPT if proven else MOST_UNPROVEN),
        "size": looked.incoming.size, "received_at": now,
        "sender": classes.address(mail.head.first("from")) or None,
        "subject": one_line(references.without_secrets(mail.subject), mime.LONGEST_SUBJECT) or None,
        "excerpt": _excerpt(mail.text) or None,
        "attachments": mail.attachments,
        "mail_class": of.name, "rule": of.rule,
        "word": first_line.first_word(mail.text) if _is_heard(looked) else None,
        "letter": letter.ref if letter else None, "proven": proven,
        "notification": letter.notification if letter and is_private else copy_of,
        "action": said.action if said else None,
        "status": said.status or None if said else None,
        "server": said.server or None if said else None,
        "result": None if letter or copy_of else UNMATCHED if looked.is_readable else UNREADABLE,
    }  # fmt: skip
    connection = session.connection()
    connection.execute(_ONCE[connection.dialect.name], row)
    kept = session.scalars(select(Received).where(Received.digest == looked.incoming.digest)).one()
    if letter is not None and letter.kind not in read and kept.result is None:
        settle_the_rest(kept)
    return kept


def read_next(
    reader: Reader, *, kinds: Collection[str], ref: str | None = None, copies: bool = False
) -> bool:
    """Have a room read the oldest mail about its kinds of letters that nobody has read (or this one), in a transaction
    of its own; with `copies` those of senders' own mails too. False: there is none.

    What raises is undone and set aside for a person; the log names it without its words. Trouble of the database is
    raised: the next round reads it again.
    """
    with transaction() as session:
        found = queries.unread(session, kinds=kinds, ref=ref, copies=copies)
        if found is None:
            return False
        row, letter = found
        try:
            with session.begin_nested():
                reader(session, row, letter)
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            _say_unreadable(error, ref=row.ref)
            settle(row, UNREADABLE, reason=f"reading it ended in {type(error).__name__}"[:200])
    return True


def _say_unreadable(error: Exception, **about: str) -> None:
    """Where it went wrong, and nothing that the mail says: an error's own words may quote it."""
    frames = traceback.extract_tb(error.__traceback__)
    where = [
        f"pocdir/{path[2]}:{at.lineno}" for at in frames if (path := at.filename.rpartition("/pocdir/"))[1]
    ]
    _log.error("mail not read", error=type(error).__name__, where=where[-1:], **about)


def _kept(raw: bytes, most: int) -> bytes:
    return redaction.without_secrets_of_ours(raw[: most + _MARGIN])[:most]


def _excerpt(text: str) -> str:
    words = references.without_secrets(
        first_line.own_words(text)
    )  # before it is cut: half a secret is not found
    return words[: first_line.LONGEST_EXCERPT].rstrip()


def _is_heard(looked: Looked) -> bool:
    """Whether a word in it may count: it is a person's without doubt, and all that its reader sees."""
    return looked.of.name == classes.HUMAN and may_count(looked.mail)


def may_count(mail: mime.Read) -> bool:
    """Whether the text is all that its reader sees, under a head that no ticket system or list writes."""
    return mail.is_all and not classes.may_be_a_programs(mail)


def _letter(session: Session, named: references.References, secret: bytes) -> tuple[Mail | None, bool]:
    """The letter that is meant, and whether its own signed reference says so."""
    for ref in named.letters:
        if (mail := queries.letter(session, ref)) is not None:
            return mail, True
    found: Mail | None = None
    for reference, sign in named.tags:
        for mail in queries.letters_about(session, reference):
            if sign and hmac.compare_digest(reply_sign(secret, mail.ref), sign):
                return mail, True
            found = found or mail
    return found or queries.letter_of_message(session, named.message_ids), False


def settle(row: Received, result: str, *, reason: str | None = None, event: str | None = None) -> None:
    """Write down what became of a mail; `result` is one of models.RESULTS."""
    row.result, row.reason, row.event = result, reason, event


def settle_the_rest(row: Received) -> None:
    """Of a letter whose room reads no mail: a person's words wait for a steward, the rest is counted."""
    settle(row, WAITS if row.mail_class == classes.HUMAN else KEPT)


def see(session: Session, *, ref: str, now: dt.datetime, actor: str) -> None:
    """A steward has read it; raises NotFound `mail_unknown`, Conflict `mail_seen`."""
    row = session.scalar(select(Received).where(Received.ref == ref).with_for_update())
    if row is None:
        raise NotFound("mail_unknown", "there is no such mail")
    if row.seen_at is not None:
        raise Conflict("mail_seen", "this was marked as read already")
    row.seen_at, row.seen_by = now, actor


def forget_mails(session: Session, *, now: dt.datetime, kept: dt.timedelta) -> int:
    """Erase what mails said that came so long ago, as queries.mails_beyond says; digest, class and result stay. Returns
    how many."""
    beyond = queries.mails_beyond(now, kept)
    return int(session.connection().execute(update(Received).where(beyond).values(FORGOTTEN)).rowcount)
