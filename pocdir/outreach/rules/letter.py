"""The letter to a team, of each kind: it says everything its reader needs, a reply is enough, the link comes last."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from pocdir.core import tlp
from pocdir.core.codes import LANGUAGES as LANGUAGES  # in which the letter's own words are there
from pocdir.core.errors import Invalid
from pocdir.core.refs import is_ref
from pocdir.outreach.rules.letter_texts import Translate, load

MAIL = "notification"  # the kind of such a letter in the outbox
LONGEST_TITLE = 120  # characters of a title in a subject
LONGEST_MAILTO = 1_900  # characters of a URL that every mail program still opens
MOST_ASSETS = 500  # more are counted, not listed

# What a first line may say instead of a visit to the recipient's page.
REPLY_WORDS = ("received", "passed on", "not ours", "need", "done")

# How much a letter says: that there is something, what it is about, all of it.
CONTENTS = ("reference", "summary", "full")

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
class File:
    """A file that goes with the letter, byte for byte as its digest (SHA-256 in hexadecimal digits) says."""

    name: str
    rows: int
    sha256: str


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
class First:
    """The report that a letter follows, and what is known of it.

    `own`: it went to the same team. `about` is left out where it bears a stricter label. `answered_at`: when a person
    answered; `asked_for`: the time for an answer that passed without one on record; `not_theirs`: that team says that
    it is not for it; `objects`: it contests the report, in these `objections` where the label lets them be told.
    """

    reference: str
    team: str
    channel: str
    sent_at: dt.datetime
    own: bool
    about: str | None = None
    count: int = 0
    since: dt.datetime | None = None
    ticket: str | None = None
    asked_for: dt.datetime | None = None
    answered_at: dt.datetime | None = None
    failed: bool = False
    not_theirs: bool = False
    objects: bool = False
    objections: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """All that a letter is made from; `link` is the recipient's page, `content` one of CONTENTS.

    `case_tlp`: the label that the incident bears now, or that of what it follows; the subject keeps to it too.
    """

    kind: str
    reference: str
    tlp: str
    sender: Sender
    title: str | None = None
    about: tuple[str, str | None] | None = None  # RSIT class and type
    message: str | None = None
    assets: Sequence[Asset] = ()
    files: Sequence[File] = ()
    asked: Sequence[Asked] = ()
    link: str | None = None
    content: str = "full"
    since: dt.datetime | None = None  # since when what it is about was seen, where that is known
    first: First | None = None
    case_tlp: str = "TLP:CLEAR"
    for_reader: bool = False  # the message was written for this reader: it is said at every content


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
    if not tlp.is_at_least(tlp.strictest(matter.tlp, matter.case_tlp), tlp.AMBER):
        named = matter.title if matter.content != "reference" else None
        title = one_line(named or load(_)[f"name.{matter.kind}"])
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
    say, sender = load(_), matter.sender
    yield matter.tlp
    yield say[f"opening.{matter.kind}"]
    says_it = _names_first(matter)
    if matter.first and not says_it:
        yield "\n".join(_history(matter, matter.first, say))
    if matter.content != "reference" and (matter.title or matter.about):
        yield "\n".join(_named(matter, say))
    if matter.message and (matter.content == "full" or says_it or matter.for_reader):
        yield _text(matter.message)
    if matter.assets and matter.content == "full":
        yield "\n".join(_assets(matter.assets, matter.since, say))
    elif matter.assets and matter.content == "summary":
        yield _counted(len(matter.assets), matter.since, say)
    if matter.files and matter.content != "reference":
        yield "\n".join(_files(matter, say))
    if matter.kind == "sample_request":
        yield say["sample"] + " " + say["sample_packed"]
    yield "\n".join(_asked(matter.asked, say))
    yield "\n".join(_reply(say))
    signature = (sender.name, sender.workspace, sender.contact)
    yield "\n".join(one_line(line) for line in signature if line)
    yield say["keep"] + " " + reference_tag(matter.reference)
    if matter.link:
        yield say["link"] + "\n" + matter.link


def _names_first(matter: Matter) -> bool:
    """Whether the message names the first report: a step's words do, and say all of it at their own level."""
    return matter.first is not None and reference_tag(matter.first.reference) in (matter.message or "")


def _named(matter: Matter, say: Mapping[str, str]) -> Iterator[str]:
    if matter.title:
        yield say["title"] % {"title": one_line(matter.title)}
    if matter.about:
        yield say["kind"] % {"kind": " / ".join(part for part in matter.about if part)}


def _history(matter: Matter, first: First, say: Mapping[str, str]) -> Iterator[str]:
    """Who wrote to whom and when, what came of it, about what, how many, since when, and the numbers to find it by."""
    team, ticket = one_line(first.team), one_line(first.ticket or "")
    wrote = {"sender": one_line(matter.sender.workspace), "team": team, "channel": one_line(first.channel)}
    yield say["wrote_to_you" if first.own else "wrote_to"] % (wrote | {"time": _time(first.sent_at)})
    if first.not_theirs:
        yield say["not_theirs"]
    elif first.answered_at is not None:
        answered = say["you_answered" if first.own else "answered"]
        yield answered % {"team": team, "time": _time(first.answered_at)}
    elif first.failed:
        yield say["undelivered"]
    elif first.asked_for is not None:
        yield say["no_answer"] % {"time": _time(first.asked_for)}
    if first.objects:
        yield say["you_object" if first.own else "objects"] % {"team": team}
        yield from (f"> {line}" for words in first.objections for line in _text(words).split("\n"))
    if not first.own and not first.not_theirs:
        yield say["you_may"]
    if matter.content != "reference":
        if first.about:
            yield say["about"] % {"about": one_line(first.about)}
        if first.count:
            yield _counted(first.count, first.since, say)
    if ticket:
        yield say["your_ticket" if first.own else "their_ticket"] % {"team": team, "ticket": ticket}
    yield say["reference"] % {"reference": reference_tag(first.reference)}
    if matter.sender.contact:
        yield say["contact"] % {"contact": one_line(matter.sender.contact)}


def _counted(count: int, since: dt.datetime | None, say: Mapping[str, str]) -> str:
    """How many are concerned; since when only where somebody said it."""
    if since is None:
        return say["concerned_count"] % {"count": count}
    return say["concerned_since"] % {"count": count, "time": _time(since)}


def _assets(assets: Sequence[Asset], since: dt.datetime | None, say: Mapping[str, str]) -> Iterator[str]:
    """Each with its own times; where none has any, since when all of them were seen, if somebody said it."""
    is_timed = any(asset.first_seen or asset.last_seen for asset in assets[:MOST_ASSETS])
    yield say["concerned"] % {"count": len(assets)} if is_timed else _counted(len(assets), since, say)
    for asset in assets[:MOST_ASSETS]:
        words = [one_line(asset.value)]
        if asset.port is not None:
            words.append(say["port"] % {"port": asset.port})
        if asset.first_seen:
            words.append(say["first_seen"] % {"time": _time(asset.first_seen)})
        if asset.last_seen:
            words.append(say["last_seen"] % {"time": _time(asset.last_seen)})
        yield "  " + "  ".join(words)
    if len(assets) > MOST_ASSETS:
        yield "  " + say["more"] % {"count": len(assets) - MOST_ASSETS}


def _files(matter: Matter, say: Mapping[str, str]) -> Iterator[str]:
    for file in matter.files:
        yield say["file"] % {"name": one_line(file.name), "count": file.rows}
        if matter.content == "full":
            yield f"  SHA-256 {file.sha256}"
    yield say["file_by_link" if matter.link else "file_by_asking"]


def _asked(asked: Sequence[Asked], say: Mapping[str, str]) -> Iterator[str]:
    if not asked:
        yield say["nothing_asked"]
    for each in asked:
        wish = say["ask.sample" if each.of == "sample" else each.of]
        yield f"- {wish} " + say["by"] % {"time": _time(each.due_at)}


def _reply(say: Mapping[str, str]) -> Iterator[str]:
    yield say["reply"]
    more = {"received": " #1234", "passed on": " 31", "not ours": ": team@...", "need": ": ..."}
    for words in REPLY_WORDS:
        yield f"  {words + more.get(words, ''):<20}  {say[words]}"


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
