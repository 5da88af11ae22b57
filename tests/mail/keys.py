"""OpenPGP keys made for the tests: of any age, expiry and weakness, the same bytes for the same words."""

from __future__ import annotations

import base64
import datetime as dt
import functools
import hashlib
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CREATED = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
LATE = dt.datetime(2099, 6, 30, tzinfo=dt.UTC)  # an expiry that the machine's clock does not reach
SHA1, SHA256 = 2, 8
_HASHES = {SHA1: "sha1", SHA256: "sha256"}
_RAW = (Encoding.Raw, PublicFormat.Raw)


class Made(NamedTuple):
    """A key with its own words for what it is."""

    data: bytes
    fingerprint: str

    @property
    def text(self) -> str:
        """As people paste it."""
        return armour(self.data)


def armour(data: bytes, kind: str = "PUBLIC KEY BLOCK") -> str:
    coded = base64.encodebytes(data).decode()
    return f"-----BEGIN PGP {kind}-----\n\n{coded}-----END PGP {kind}-----\n"


def packet(tag: int, body: bytes) -> bytes:
    return bytes([0xC0 | tag, 0xFF]) + len(body).to_bytes(4, "big") + body


def key(
    *users: str,
    seed: str = "team",
    created: dt.datetime = CREATED,
    signed: dt.datetime | None = None,
    expires: dt.datetime | None = None,
    subkey_expires: dt.datetime | None = None,
    hash: int = SHA256,
    subkey_hash: int | None = None,
    subkey_bits: int | None = None,
    subkey: bool = True,
    subkey_flags: int = 0x0C,
    revoked: bool = False,
    subkey_revoked: bool = False,
    photo: bool = False,
    stranger: bool = False,
    private: bool = False,
) -> Made:
    """A version 4 key: Ed25519, with an X25519 (or RSA) subkey; `stranger` signs the first user id as well."""
    signer = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed.encode()).digest())
    primary = b"\x04" + _time(created) + b"\x1b" + signer.public_key().public_bytes(*_RAW)
    it = _Signer(signer, primary, signed or created, hash)
    parts = [packet(6, primary)] if not private else [packet(5, primary + b"\x00" + b"s" * 32 + b"\x00\x00")]
    parts += [it.sign(0x20, b"")] if revoked else []
    ends = _after(created, expires)
    for user in users or ("CERT Example <cert@cert.example>",):
        name = user.encode()
        over = b"\xb4" + len(name).to_bytes(4, "big") + name
        parts += [packet(13, name), it.sign(0x13, over, flags=0x03, ends=ends)]
        if stranger:
            other = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"stranger").digest())
            body = b"\x04" + _time(created) + b"\x1b" + other.public_key().public_bytes(*_RAW)
            parts.append(_Signer(other, body, created, hash, over=primary).sign(0x10, over))
    if photo:
        parts.append(packet(17, b"\x05\x01\x10\x00\x01\x01"))
    if subkey:
        body = b"\x04" + _time(created) + _encrypting(seed, subkey_bits)
        over = b"\x99" + len(body).to_bytes(2, "big") + body
        it = it._replace(hash=subkey_hash or hash)
        bound = it.sign(0x18, over, flags=subkey_flags, ends=_after(created, subkey_expires))
        parts += [packet(14, body), bound]
        parts += [it.sign(0x28, over)] if subkey_revoked else []
    digest = hashlib.sha1(b"\x99" + len(primary).to_bytes(2, "big") + primary, usedforsecurity=False)
    return Made(b"".join(parts), digest.hexdigest().upper())


class _Signer(NamedTuple):
    private: Ed25519PrivateKey
    body: bytes
    at: dt.datetime
    hash: int
    over: bytes | None = None  # the key that is signed, where it is not the signer's own

    def sign(self, type_: int, what: bytes, flags: int | None = None, ends: int | None = None) -> bytes:
        own = b"\x99" + len(self.body).to_bytes(2, "big") + self.body
        print_ = b"\x04" + hashlib.sha1(own, usedforsecurity=False).digest()
        said = _subpacket(2, _time(self.at)) + _subpacket(33, print_)
        said += _subpacket(27, bytes([flags])) if flags is not None else b""
        said += _subpacket(9, ends.to_bytes(4, "big")) if ends is not None else b""
        head = bytes([4, type_, 27, self.hash]) + len(said).to_bytes(2, "big") + said
        signed = self.over if self.over is not None else self.body
        data = b"\x99" + len(signed).to_bytes(2, "big") + signed + what
        data += head + b"\x04\xff" + len(head).to_bytes(4, "big")
        digest = hashlib.new(_HASHES[self.hash], data, usedforsecurity=False).digest()
        return packet(2, head + b"\x00\x00" + digest[:2] + self.private.sign(digest))


def _encrypting(seed: str, bits: int | None) -> bytes:
    if bits is not None:
        numbers = _rsa(bits)
        return b"\x01" + b"".join(_integer(number) for number in (numbers.n, numbers.e))
    private = X25519PrivateKey.from_private_bytes(hashlib.sha256(b"x" + seed.encode()).digest())
    return b"\x19" + private.public_key().public_bytes(*_RAW)


@functools.cache
def _rsa(bits: int) -> Any:
    return rsa.generate_private_key(65537, bits).public_key().public_numbers()


def _integer(number: int) -> bytes:
    return number.bit_length().to_bytes(2, "big") + number.to_bytes((number.bit_length() + 7) // 8, "big")


def _subpacket(kind: int, value: bytes) -> bytes:
    return bytes([len(value) + 1, kind]) + value


def _time(at: dt.datetime) -> bytes:
    return int(at.timestamp()).to_bytes(4, "big")


def _after(created: dt.datetime, expires: dt.datetime | None) -> int | None:
    return None if expires is None else int((expires - created).total_seconds())


def private_half(made: Made, seed: str = "team") -> bytes:
    """The same key with what only its owner has, so that a test can open what was encrypted to it."""
    primary, subkey = hashlib.sha256(seed.encode()).digest(), hashlib.sha256(b"x" + seed.encode()).digest()
    out, at = b"", 0
    while at < len(made.data):
        tag, size = made.data[at] & 0x3F, int.from_bytes(made.data[at + 2 : at + 6])
        body, at = made.data[at + 6 : at + 6 + size], at + 6 + size
        secret = {6: primary, 14: subkey}.get(tag)
        if secret is not None:
            tag, check = {6: 5, 14: 7}[tag], sum(secret).to_bytes(2, "big")
            body += b"\x00" + secret + check
        out += packet(tag, body)
    return out
