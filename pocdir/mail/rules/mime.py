"""Reading a mail of any bytes: its head, its first text, what came back with it; nothing raises."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.header import decode_header

from pocdir.mail.rules.headers import one_line
from pocdir.mail.rules.markup import shown

MOST_BYTES = 1 << 20  # that are looked at; what follows is kept and not read
MOST_HEAD = 64 << 10  # bytes of one head
MOST_HEADERS = 400
LONGEST_VALUE = 4000  # characters of one header
LONGEST_SUBJECT = 300
MOST_PARTS = 60
DEEPEST = 6
LONGEST_TEXT = 20_000  # characters of the text that is read
MOST_WORDS = 100  # encoded words of one header; of more none is decoded

RETURNED = ("message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers")

_FIELD = re.compile(r"([!-9;-~]{1,80})[ \t]*:(.*)", re.DOTALL)
_PARAMETER = re.compile(r';\s*([a-z*-]{1,40})\s*=\s*(?:"([^"]{0,200})"|([^\s;"]{1,200}))', re.IGNORECASE)
# No codec that is slow, or that makes much of little: only what letters are written in.
_CHARSET = re.compile(
    r"utf[-_]?8|us-ascii|ascii|iso-?8859-\d{1,2}|latin-?1|windows-125[0-8]|cp125[0-8]|koi8-[ru]|gb2312|gbk|gb18030|big5"
    r"|iso-2022-jp|shift_jis|euc-(?:jp|kr)"
)

Headers = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Entity:
    """A mail, or one part of it."""

    headers: Headers
    body: bytes

    def first(self, name: str) -> str:
        """The first value of a header, in small letters its name; empty where there is none."""
        return next(iter(self.headers.get(name, ())), "")

    @property
    def type(self) -> str:
        """`text/plain` where nothing is said (RFC 2045, 5.2)."""
        said = self.first("content-type").partition(";")[0].strip().lower()
        return said if said.count("/") == 1 else "text/plain"

    def parameter(self, name: str) -> str:
        """Of its Content-Type."""
        for said in _PARAMETER.finditer(self.first("content-type")):
            if said[1].lower() == name:
                return said[2] or said[3] or ""
        return ""


@dataclass(frozen=True, slots=True)
class Read:
    """What was found in a mail."""

    head: Entity
    text: str = ""  # the first text/plain, else what HTML shows; decoded and cut
    is_all: bool = False  # whether that is the text/plain that a reader sees, whole, and no other
    attachments: int = 0  # counted, never opened
    kind: str = ""  # report-type of a multipart/report
    reports: tuple[bytes, ...] = ()  # message/delivery-status
    disposition: str = ""  # of a message/disposition-notification (RFC 8098, 3.2.6)
    returned: tuple[Entity, ...] = field(default=())  # heads of what came back

    @property
    def subject(self) -> str:
        """On one line, whatever it was encoded as; not cut."""
        return words(self.head.first("subject"), LONGEST_VALUE)


def read(raw: bytes) -> Read:
    """What these bytes say as a mail; of anything that is none at least an empty head."""
    head = entity(raw[:MOST_BYTES])
    attachments, reports, returned, disposition = 0, [], [], ""
    parts = list(leaves(head))
    plain = [part for part in parts if part.type == "text/plain" and not _is_attached(part)]
    marked = [part for part in parts if part.type == "text/html" and not _is_attached(part)]
    for part in parts:
        if part.type in ("message/delivery-status", "message/global-delivery-status"):
            reports.append(decoded(part))
        elif part.type == "message/disposition-notification":
            said = entity(decoded(part).lstrip(b"\r\n") + b"\n")
            disposition = disposition or said.first("disposition")[:200]
        elif part.type in RETURNED:
            returned.append(entity(decoded(part)))
        elif not any(part is each for each in (*plain[:1], *marked)):
            attachments += 1
    kind = head.parameter("report-type").lower() if head.type == "multipart/report" else ""
    text = _text(plain[0]) if plain else shown(_text(marked[0])) if marked else ""
    is_all = len(raw) <= MOST_BYTES and len(parts) < MOST_PARTS and len(text) <= LONGEST_TEXT
    is_all = is_all and len(plain) == 1 and _is_first(head, plain[0], marked)
    return Read(
        head, text[:LONGEST_TEXT], is_all, attachments, kind, tuple(reports), disposition, tuple(returned)
    )


def _is_first(part: Entity, plain: Entity, marked: list[Entity]) -> bool:
    """Whether this is the part that is shown first, with no HTML but that which says the same."""
    is_choice = False
    for _ in range(DEEPEST + 1):
        boundary = part.parameter("boundary")
        if not part.type.startswith("multipart/") or not boundary:
            break
        inside = _parts(part.body, boundary)
        if part.type == "multipart/alternative":
            is_choice, inside = True, [each for each in inside if each.type == "text/plain"]
        if not inside:
            return False
        part = inside[0]
    is_named = part.parameter("name") or "filename" in part.first("content-disposition").lower()
    return part == plain and not is_named and len(marked) <= is_choice


def _text(part: Entity) -> str:
    return string(decoded(part), part.parameter("charset"))


def entity(data: bytes) -> Entity:
    """Head and body, divided by an empty line: without one there is no body. What is no header is passed over."""
    headers: dict[str, list[str]] = {}
    at, count, ended = 0, 0, False
    lines: list[str] = []
    if data[:5] in (b"From ", b">From"):  # as a mailbox or a pipe puts it before
        at = data.find(b"\n") + 1
    while at < min(len(data), MOST_HEAD) and count < MOST_HEADERS:
        end = data.find(b"\n", at)
        line = data[at : end if end >= 0 else len(data)].rstrip(b"\r")[: LONGEST_VALUE * 2]
        after = end + 1 if end >= 0 else len(data)
        if not line:
            at, ended = after, True
            break
        if line[:1] in b" \t":
            lines.append(_plain(line))
        elif _FIELD.fullmatch(_plain(line)):
            _keep(headers, lines)
            lines, count = [_plain(line)], count + 1
        at = after
    _keep(headers, lines)
    return Entity({name: tuple(values) for name, values in headers.items()}, data[at:] if ended else b"")


def _keep(headers: dict[str, list[str]], lines: list[str]) -> None:
    said = _FIELD.fullmatch(" ".join(line.strip() for line in lines)[: LONGEST_VALUE + 80])
    if said:
        headers.setdefault(said[1].lower(), []).append(said[2].strip()[:LONGEST_VALUE])


def leaves(whole: Entity) -> Iterator[Entity]:
    """The parts that hold something, in their order; of a nest that is too deep or too wide the first ones."""
    waiting, count = [(whole, 0)], 0
    while waiting and count < MOST_PARTS:
        part, depth = waiting.pop()
        boundary = part.parameter("boundary")
        if part.type.startswith("multipart/") and boundary and depth < DEEPEST:
            inside = [(each, depth + 1) for each in _parts(part.body, boundary)]
            waiting.extend(reversed(inside))
        else:
            count += 1
            yield part


def _parts(body: bytes, boundary: str) -> list[Entity]:
    mark = b"--" + boundary.encode("utf-8", "replace")
    pieces = (b"\n" + body).split(b"\n" + mark, MOST_PARTS + 1)
    found = []
    for piece in pieces[1 : MOST_PARTS + 1]:
        if piece[:2] == b"--":
            break
        _rest, _, inner = piece.partition(b"\n")
        found.append(entity(inner.removesuffix(b"\r")))
    return found


def _is_attached(part: Entity) -> bool:
    return part.first("content-disposition").lower().startswith("attachment")


def decoded(part: Entity) -> bytes:
    """A part's bytes without their transfer encoding; what is damaged gives what can be read of it."""
    encoding = part.first("content-transfer-encoding").strip().lower()
    if encoding == "quoted-printable":
        return binascii.a2b_qp(part.body)
    if encoding != "base64":
        return part.body
    coded = re.sub(rb"[^A-Za-z0-9+/]", b"", part.body)
    coded = coded[: len(coded) - (len(coded) % 4 == 1)]
    return binascii.a2b_base64(coded + b"=" * (-len(coded) % 4))


def string(data: bytes, charset: str) -> str:
    """Text of a character set that letters are written in, else of UTF-8; what does not fit is marked."""
    known = _CHARSET.fullmatch(charset.strip().lower())
    try:
        text = data.decode(known[0] if known else "utf-8", "replace")
    except LookupError:  # iso-8859-12 was never made
        text = data.decode("utf-8", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def words(value: str, longest: int) -> str:
    """A header for people: encoded words decoded, then one line. An encoded line break is a blank, never a line."""
    value = value[:LONGEST_VALUE]
    if value.count("=?") > MOST_WORDS:
        return one_line(value, longest)
    try:
        pieces = decode_header(value)
        text = "".join(
            piece if isinstance(piece, str) else string(piece, charset or "utf-8")
            for piece, charset in pieces
        )
    except (HeaderParseError, ValueError):
        text = value
    return one_line(text, longest)


def _plain(line: bytes) -> str:
    return line.decode("utf-8", "replace")
