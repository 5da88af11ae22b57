"""The letter to a team: it says everything its reader needs, a reply is enough, and the link comes last."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from pocdir.core import tlp
from pocdir.core.codes import LANGUAGES as LANGUAGES  # in which the letter's own words are there
from pocdir.core.errors import Invalid
from pocdir.core.refs import is_ref

LONGEST_TITLE = 120  # characters of a title in a subject
LONGEST_MAILTO = 1_900  # characters of a URL that every mail program still opens
MOST_ASSETS = 500  # more are counted, not listed

# What a first line may say instead of a visit to the recipient's page.
REPLY_WORDS = ("received", "passed on", "not ours", "need", "done")

Translate = Callable[[str], str]
_PIECE = r"-[\s>]{0,4}"  # a mail program may break the line after a hyphen and quote the rest
_TAG = re.compile(
    rf"\bpocdir[\s>]{{1,8}}([0-9a-f]{{8}}{_PIECE}(?:[0-9a-f]{{4}}{_PIECE}){{3}}[0-9a-f]{{12}})(?![0-9a-f])",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Asset:
    """An address or name concerned, with what was seen of it."""

    value: str
    port: int | None = None
    first_seen: dt.datetime | None = None
    last_seen: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What the sender asks for (acknowledgement, sample, remediation, answer), and the time named for it."""

    of: str
    due_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Sender:
    """Who writes; `contact` is where a person can be reached without this service."""

    name: str
    workspace: str
    contact: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """All that a letter is made from; `link` is the recipient's page."""

    kind: str
    reference: str
    tlp: str
    sender: Sender
    title: str | None = None
    about: tuple[str, str | None] | None = None  # RSIT class and type
    message: str | None = None
    assets: Sequence[Asset] = ()
    asked: Sequence[Asked] = ()
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """Plain text; the subject is fit for a header, the body has `\\n` line ends."""

    subject: str
    body: str


def letter(matter: Matter, _: Translate = str) -> Letter:
    """The letter in the language of `_`, a gettext function."""
    return Letter(subject=subject(matter, _), body="\n\n".join(_paragraphs(matter, _)) + "\n")


def subject(matter: Matter, _: Translate = str) -> str:
    """Label and reference first; the title only where everybody may read it (below TLP:AMBER)."""
    words = [f"[{matter.tlp}]", reference_tag(matter.reference)]
    if not tlp.is_at_least(matter.tlp, tlp.AMBER):
        title = one_line(matter.title or _opening(matter.kind, _)[0])
        words.append(title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 1] + "…")
    return " ".join(words)


def reference_tag(reference: str) -> str:
    """What ties a reply to its notification wherever it stands in subject or body."""
    return f"[pocdir {reference}]"


def refs_in(text: str) -> tuple[str, ...]:
    """The references named by tags in a subject or body, each once, in order; brackets may be lost."""
    found = (re.sub(r"[\s>]", "", match.group(1)).lower() for match in _TAG.finditer(text))
    return tuple(dict.fromkeys(ref for ref in found if is_ref(ref)))


def one_line(text: str) -> str:
    """Fit for a header: every line break or control character of any script is a blank."""
    shown = (" " if unicodedata.category(sign) in _BREAKING else sign for sign in text)
    return " ".join("".join(shown).split())


def mailto_url(address: str, subject: str, body: str, _: Translate = str) -> str:
    """A `mailto:` URL (RFC 6068) of at most LONGEST_MAILTO characters.

    A body too long for it ends after a whole line with a note to copy the letter; the subject is cut at its
    end, so that label and reference stay. Raises Invalid `address_invalid`.
    """
    if "@" not in address or one_line(address).replace(" ", "") != address or len(address) > 320:
        raise Invalid("address_invalid", "an e-mail address is needed", where="address")
    url = f"mailto:{quote(address, safe='@')}?subject="
    url += _cut(one_line(subject), LONGEST_MAILTO // 2 - len(url)) + "&body="
    lines = [_encoded(line) for line in body.rstrip("\n").split("\n")]
    whole = "%0D%0A".join(lines)
    if len(url) + len(whole) <= LONGEST_MAILTO:
        return url + whole
    note = "%0D%0A" + _encoded(_("[This letter is longer. Copy it from the page that you came from.]"))
    room = LONGEST_MAILTO - len(url) - len(note)
    kept = ""
    for line in lines:
        if len(kept) + len(line) + 6 > room:
            break
        kept += line + "%0D%0A"
    return url + kept + note


_BREAKING = ("Cc", "Cs", "Zl", "Zp")


def _paragraphs(matter: Matter, _: Translate) -> Iterator[str]:
    yield matter.tlp
    yield _opening(matter.kind, _)[1]
    if matter.title or matter.about:
        yield "\n".join(_about(matter, _))
    if matter.message:
        yield _text(matter.message)
    if matter.assets:
        yield "\n".join(_assets(matter.assets, _))
    yield "\n".join(_asked(matter.asked, _))
    yield "\n".join(_reply(_))
    sender = matter.sender
    signature = (sender.name, sender.workspace, sender.contact)
    yield "\n".join(one_line(line) for line in signature if line)
    yield _("Please keep this reference in your reply:") + " " + reference_tag(matter.reference)
    if matter.link:
        yield (
            _("The same without writing, for this recipient only; no account is needed:") + "\n" + matter.link
        )


def _opening(kind: str, _: Translate) -> tuple[str, str]:
    """What the letter is, for its subject, and how it begins."""
    return {
        "report": (
            _("Report"),
            _("We report this to you because, as far as we know, it lies within your responsibility."),
        ),
        "follow_up": (_("Follow-up"), _("We come back to what we have reported to you before.")),
        "sample_request": (
            _("Request for a sample"),
            _("We ask you for a sample of the malicious code that this report is about."),
        ),
        "referral": (
            _("Referral"),
            _("We pass this on to you because, as far as we know, it lies within your responsibility."),
        ),
        "ping": (
            _("Test of this contact"),
            _("This is a test of this contact. No incident stands behind it."),
        ),
    }[kind]


def _about(matter: Matter, _: Translate) -> Iterator[str]:
    if matter.title:
        yield _("Subject: %(title)s") % {"title": one_line(matter.title)}
    if matter.about:
        yield _("Kind of report: %(kind)s") % {"kind": " / ".join(part for part in matter.about if part)}


def _assets(assets: Sequence[Asset], _: Translate) -> Iterator[str]:
    yield _("Concerned: %(count)s (times in UTC)") % {"count": len(assets)}
    for asset in assets[:MOST_ASSETS]:
        words = [one_line(asset.value)]
        if asset.port is not None:
            words.append(_("port %(port)s") % {"port": asset.port})
        if asset.first_seen:
            words.append(_("first seen %(time)s") % {"time": _time(asset.first_seen)})
        if asset.last_seen:
            words.append(_("last seen %(time)s") % {"time": _time(asset.last_seen)})
        yield "  " + "  ".join(words)
    if len(assets) > MOST_ASSETS:
        yield "  " + _("and %(count)s more: ask us for the list") % {"count": len(assets) - MOST_ASSETS}


def _asked(asked: Sequence[Asked], _: Translate) -> Iterator[str]:
    if not asked:
        yield _("This is for your information. No reply is asked for.")
        return
    wishes = {
        "acknowledgement": _("Please tell us that a person has received this."),
        "sample": _("Please send us a sample, or tell us that there is none."),
        "remediation": _("Please tell us when this has been put in order."),
        "answer": _("Please answer what we ask above."),
    }
    for each in asked:
        until = _("Reply asked for %(time)s UTC.") % {"time": _time(each.due_at)}
        yield f"- {wishes[each.of]} {until}"


def _reply(_: Translate) -> Iterator[str]:
    yield _("A reply is enough. Its first line may say, in your own words or in these:")
    received, passed_on, not_ours, need, done = REPLY_WORDS
    for words, meaning in (
        (f"{received} #1234", _("we have it (with your ticket number, if there is one)")),
        (f"{passed_on} 31", _("passed on to so many operators")),
        (f"{not_ours}: team@...", _("not for us, and who to ask instead")),
        (f"{need}: ...", _("we need more from you")),
        (done, _("it has been put in order")),
    ):
        yield f"  {words:<20}  {meaning}"


def _time(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M")


def _text(text: str) -> str:
    """Words of a person with their line breaks and nothing else that a terminal or a mail would obey."""
    return "\n".join(one_line(line) for line in re.sub(r"\r\n?", "\n", text.strip()).split("\n"))


def _encoded(text: str) -> str:
    return quote(text, safe="")


def _cut(text: str, room: int) -> str:
    """As much of the text, encoded, as fits the room."""
    encoded = ""
    for sign in text:
        if len(encoded) + len(_encoded(sign)) > room:
            break
        encoded += _encoded(sign)
    return encoded
