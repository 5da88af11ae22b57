"""What is kept of a mail that came in: its bytes, without the signs of a letter and the token of any link to us."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator

from pocdir.mail.rules import mime
from pocdir.mail.rules.mime import RETURNED, Entity
from pocdir.mail.rules.references import LINKED, without_secrets

DEEPEST = 3  # mails inside of mails
MOST_HEADS = 40  # encoded headers that are looked at, in all

_LEFT_OUT = rb"\1..."
_BREAK = rb"=?\r?\n[> \t]*"  # soft in quoted-printable, hard and quoted elsewhere
_SIGN = re.compile(
    rb"([0-9a-f]{8}(?:-(?:" + _BREAK + rb")?[0-9a-f]{4}){3}-(?:" + _BREAK + rb")?[0-9a-f]{12})"
    rb"(?:" + _BREAK + rb"|[ \t])?(?:\.|=2E)(?:(?:" + _BREAK + rb"|[ \t])?[a-z2-7]){1,13}",
    re.IGNORECASE,
)
_ENVELOPE = re.compile(
    rb"(\+|=2B|%2B)(?:(?:=\r?\n)?[a-z2-7]){39}(?!(?:=\r?\n)?[a-z2-7])", re.IGNORECASE
)  # of an envelope sender: with it anybody could report about its letter
_SLASH = rb"(?:/|%(?:25)?2F|=2F)"
_SOME = rb"(?:(?:=\r?\n)?[\w.%-])"
_LINE = rb"\r?\n[> \t]*" + _SOME + rb"{16,400}"
_LINK = re.compile(
    rb"(" + _SLASH + rb"(?:" + LINKED.encode() + rb")" + _SLASH + rb"(?:entry" + _SLASH + rb")?)"
    rb"(?:" + _SOME + rb"{16,400}|" + _SOME + rb"{0,15}" + _LINE + rb")(?:" + _LINE + rb"){0,5}",
    re.IGNORECASE | re.ASCII,
)
_ENCODED_HEAD = re.compile(
    rb"^([!-9;-~]{1,80}):([^\n]{0,1000}=\?[^\n]{0,4000}(?:\n[ \t][^\n]{0,1000}){0,60})", re.M
)


def without_secrets_of_ours(raw: bytes) -> bytes:
    """The same bytes, but for what whoever reads them could act with: in plain text, in encoded heads and parts, and in
    mails inside, DEEPEST at most. Nothing else is touched; what holds no such thing comes back as it is."""
    return _mail(raw, 0)


def _mail(raw: bytes, depth: int) -> bytes:
    for before, after in (*_heads(raw), *_parts(raw, depth)):
        raw = raw.replace(before, after)
    return _plain(raw)


def _plain(data: bytes) -> bytes:
    return _LINK.sub(_LEFT_OUT, _SIGN.sub(_LEFT_OUT, _ENVELOPE.sub(_LEFT_OUT, data)))


def _heads(raw: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Encoded headers that hold one, wherever they stand: in the head, in a part, in what is quoted."""
    for count, found in enumerate(_ENCODED_HEAD.finditer(raw)):
        if count == MOST_HEADS:
            return
        said = mime.words(" ".join(found[2].decode("utf-8", "replace").split()), mime.LONGEST_VALUE)
        if (shown := without_secrets(said)) != said:
            yield found[0], found[1] + b": " + shown.encode()


def _parts(raw: bytes, depth: int) -> Iterator[tuple[bytes, bytes]]:
    for part in mime.leaves(mime.entity(raw)):
        encoding = part.first("content-transfer-encoding").strip().lower()
        is_mail = part.type in RETURNED and depth < DEEPEST
        if part.body and (is_mail or encoding in ("base64", "quoted-printable")):
            said = mime.decoded(part)
            shown = _mail(said, depth + 1) if is_mail else _plain(said)
            if shown != said:
                yield part.body, _coded(shown, encoding, part)


def _coded(data: bytes, encoding: str, part: Entity) -> bytes:
    end = b"\r\n" if b"\r\n" in part.body else b"\n"
    if encoding == "quoted-printable":
        return binascii.b2a_qp(data)
    if encoding != "base64":
        return data
    coded = binascii.b2a_base64(data, newline=False)
    return end.join(coded[at : at + 76] for at in range(0, len(coded), 76)) + end
