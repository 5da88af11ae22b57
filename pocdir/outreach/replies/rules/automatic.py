"""What an automatic reply is, which ticket number it brings, and what makes one doubt that a person wrote a mail."""

from __future__ import annotations

import re

from pocdir.mail.rules import classes
from pocdir.mail.rules.first_line import own_words
from pocdir.mail.rules.mime import Read
from pocdir.mail.rules.references import answers

RECEIPT, OUT_OF_OFFICE, OTHER = "receipt", "out_of_office", "other"
LONGEST = 4000  # characters of a text that are looked at

_OUR_TAG = re.compile(r"\[?pocdir [0-9a-f-]{36}(?:\.[a-z2-7]{1,13})?\]?|\[TLP:[A-Z+]{3,12}\]", re.IGNORECASE)
_WORD = (
    r"ticket|case|incident|request|issue|bug|ref(?:erence|\.)?|vorgang|dossier|demande|caso|solicitud|incidencia"
    r"|тикет|обращение|обращения|заявка|заявке|工单|案件|编号|تذكرة|طلب"
)
_ID = r"(?:[A-Za-z]{1,12}[-_])?\d[A-Za-z0-9_/-]{1,38}"
_TICKETS = (
    re.compile(r"[#№]\s?((?:[A-Za-z]{1,12}[-_])?\d[\w/-]{0,38})"),
    re.compile(rf"(?:{_WORD})\s*(?:id|nr|no|number|n°|номер)?[\s.:#№\[(-]{{0,4}}({_ID})", re.IGNORECASE),
    re.compile(r"\b([A-Z]{2,12}-\d{2,}[\w-]{0,30}|(?:INC|CAS|REQ|SR|CS|RITM)\d{4,20})\b"),
)
_AWAY = re.compile(
    r"out of (?:the )?office|on (?:vacation|leave|holiday)|away (?:from|until)|return(?:ing)? (?:on|to the office)"
    r"|abwesen|nicht (?:im büro|im haus)|urlaub|absen(?:t|ce)|en congé|fuera de (?:la )?oficina|de vacaciones"
    r"|в отпуске|нет на работе|отсутств|不在办公室|外出|休假|خارج المكتب|إجازة",
    re.IGNORECASE,
)
# What programs write, and persons sometimes: whoever meets it is asked. A word too many here costs a click.
_PROGRAMS = re.compile(
    r"automat(?:ic|ed|isch|ique|isé|izad|iser)|autom[aá]tic|auto-?(?:matically|reply|respon|generated|ack)"
    r"|(?:do not|don.t|please no|cannot) reply|not monitored|unmonitored|no-?reply|not able to (?:receive|reply)"
    r"|thank(?:s| you) for (?:contacting|writing"
    r"|your (?:e-?mail|mail|message|report|request|enquiry|inquiry|submission))"
    r"|(?:has|have|had) been (?:received|registered|assigned|logged|created|opened|recorded|forwarded|queued|approved)"
    r"|(?:we|i) (?:have )?received your|acknowledge?ment|confirmation of receipt|ticket (?:id|number|has|was)"
    r"|mailing list|not be delivered|undeliver|deliver(?:y|ing)|mail (?:agent|system|server|gateway|daemon)|\bsmtp\b"
    r"|\b[245]\.\d\.\d{1,3}\b"
    r"|able to deliver|not delivered|original message (?:was|follows)|permanent error|(?:unknown|no such) user"
    r"|mailbox is full|no longer in use|(?:abuse|opt-out|failure) report for|^\s*<(?:!doctype|html)"
    r"|following (?:recipient|address)|resend|not a member|viruswall|moderator approval|complaint about|encrypted mail"
    r"|eingangsbest|nicht auf diese|wurde (?:erfasst|registriert|angelegt)|verschlüsselte nachricht|nicht zugestellt"
    r"|ne pas répondre|accus[ée] de réception|pas pu [eê]tre d[ée]livr|non remis|bien été (?:reçu|enregistr)"
    r"|no responda|acuse de recibo|ha sido (?:recibid|registrad)|hemos recibido su"
    r"|автоматич|не отвечайте|зарегистрирован|уведомление о|自动|自動|系统邮件|请勿回复|請勿回覆|تلقائي|آلي|عدم الرد",
    re.IGNORECASE,
)
_SENDERS = re.compile(
    r"no-?_?\.?reply|do-?not-?reply|donotreply|automat|notif|daemon|robot|\bbot\b|mailer|autorespon|system|alert|bounce|virus|gateway"
    r"|^staff@|^(?:root|listserv|majordomo|mailman|owner-|list-)|-(?:owner|admin|bounces|request)@",
    re.IGNORECASE,
)


def ticket(subject: str, *, sent: str) -> str | None:
    """The foreign ticket number that is new in a subject: not in that of the letter which was `sent`."""
    ours, theirs = _OUR_TAG.sub(" ", sent), _OUR_TAG.sub(" ", subject)
    for pattern in _TICKETS:
        for found in pattern.finditer(theirs):
            if found[1].casefold() not in ours.casefold():
                return found[1]
    return None


def subclass(mail: Read, *, sent: str) -> str:
    """RECEIPT where a foreign ticket number is new in the subject, OUT_OF_OFFICE by its words, else OTHER."""
    if ticket(mail.subject, sent=sent):
        return RECEIPT
    words = f"{_OUR_TAG.sub(' ', mail.subject)}\n{own_words(mail.text)[:LONGEST]}"
    return OUT_OF_OFFICE if _AWAY.search(words) else OTHER


def doubt(mail: Read, *, sent: str, message_id: str, has_word: bool) -> str | None:
    """Why a program may have written what no rule takes for a program's, in words; None: a person did.

    `sent`, `message_id`: subject and Message-ID of the letter that it answers. `has_word`: its first line is one that
    programs do not write, so that a number in its subject is only the ticket system's that carried it.
    """
    head, text = mail.head, own_words(mail.text)
    if "@" not in classes.address(head.first("from")):
        return "its sender has no address"
    if [len(head.headers.get(name, ())) for name in ("from", "subject")] != [1, 1]:
        return "its head does not have one sender and one subject"
    if message_id not in answers(head):
        return "its mail program does not say that it answers our letter"
    if not text.strip():
        return "it holds no words of its own"
    if classes.may_be_a_programs(mail):
        return "its head is one that ticket systems and lists write"
    named_by = ("from", "sender", "reply-to", "return-path")
    if any(_SENDERS.search(classes.address(value)) for name in named_by if (value := head.first(name))):
        return "its sender's address is one that programs write from"
    if (
        _PROGRAMS.search(_OUR_TAG.sub(" ", mail.subject))
        or _PROGRAMS.search(text[:LONGEST])
        or _AWAY.search(text[:LONGEST])
    ):
        return "its words are such as programs write too"
    if not has_word and ticket(mail.subject, sent=sent):
        return "a ticket number is new in its subject, so that a ticket system may have written it"
    return None
