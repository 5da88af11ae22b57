"""Reading OpenPGP packets (RFC 9580, sections 4 to 6) as far as a look at somebody's public key needs it."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from pocdir.core.errors import Invalid

MOST_PACKETS = 2_000
MOST_BITS = 16_384  # of an RSA modulus; checking a larger one costs seconds
MOST_EXPONENT_BITS = 64

# Packet types
SIGNATURE, SECRET_KEY, PUBLIC_KEY, SECRET_SUBKEY, MARKER, TRUST, USER_ID, PUBLIC_SUBKEY, ATTRIBUTE, PADDING = (
    2, 5, 6, 7, 10, 12, 13, 14, 17, 21,
)  # fmt: skip
_PASSED_OVER = frozenset({MARKER, TRUST, PADDING})
# Signature types
CERTIFICATIONS = frozenset({0x10, 0x11, 0x12, 0x13})
BINDING, DIRECT, KEY_REVOKED, SUBKEY_REVOKED, CERTIFICATION_REVOKED = 0x18, 0x1F, 0x20, 0x28, 0x30
WEAK_HASHES = frozenset({1, 2, 3})  # MD5, SHA-1, RIPE-MD/160

ALGORITHMS = {
    1: "RSA", 2: "RSA", 3: "RSA", 16: "ElGamal", 17: "DSA", 18: "ECDH", 19: "ECDSA", 22: "EdDSA",
    25: "X25519", 26: "X448", 27: "Ed25519", 28: "Ed448",
}  # fmt: skip
_NUMBERS = {"RSA": 2, "ElGamal": 3, "DSA": 4}  # how many integers make the key
_OCTETS = {"X25519": 32, "X448": 56, "Ed25519": 32, "Ed448": 57}
_ENCRYPTS = 0x0C  # key flags: communications, storage
_BLOCK = re.compile(rb"-----BEGIN PGP ([A-Z ]{1,40})-----")


class Packet(NamedTuple):
    """One packet: its type and what it holds."""

    tag: int
    body: bytes

    def __bytes__(self) -> bytes:
        return bytes([0xC0 | self.tag, 0xFF]) + len(self.body).to_bytes(4, "big") + self.body


class Part(NamedTuple):
    """A user id, photo or subkey with the signatures that stand after it."""

    packet: Packet
    signatures: list[Packet]


class Certificate(NamedTuple):
    """The packets of one public key in their order."""

    primary: Part
    parts: list[Part]


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key or subkey; `algorithm` is empty for one that RFC 9580 does not know."""

    version: int
    created: dt.datetime
    algorithm: str
    bits: int | None  # of RSA, DSA and ElGamal
    fingerprint: str  # capital hexadecimal digits


@dataclass(frozen=True, slots=True)
class Signature:
    """What a signature says; nobody has verified it yet."""

    packet: Packet
    type: int
    hash: int
    created: dt.datetime
    expires_after: int | None  # seconds from its own time
    key_expires_after: int | None  # seconds from the key's time
    flags: int | None
    issuers: frozenset[str]  # fingerprints and key ids in capitals

    @property
    def encrypts(self) -> bool:
        return bool((self.flags or 0) & _ENCRYPTS)

    def may_be_by(self, key: PublicKey) -> bool:
        """Whether it names the key as its issuer, or nobody."""
        if not self.issuers:
            return True
        number = key.fingerprint[-16:] if key.version == 4 else key.fingerprint[:16]
        return bool(self.issuers & {key.fingerprint, number})


def unreadable(why: str) -> Invalid:
    """The refusal of bytes that are no key; `why` never repeats them."""
    return Invalid("key_unreadable", f"this is not an OpenPGP public key: {why}", where="key")


def secret() -> Invalid:
    """The refusal of a private key."""
    return Invalid(
        "key_secret",
        "this holds a private key, or what may be one. It was not kept; send the public key alone",
        where="key",
    )


def certificate(data: bytes) -> Certificate:
    """The one public key in these bytes, armoured or not.

    Raises Invalid `key_unreadable`, `key_secret` for a private key, `key_several` for more than one.
    """
    found = [packet for packet in _packets(_dearmoured(data)) if packet.tag not in _PASSED_OVER]
    tags = [packet.tag for packet in found]
    if SECRET_KEY in tags or SECRET_SUBKEY in tags:
        raise secret()
    if not tags or tags[0] != PUBLIC_KEY:
        raise unreadable("it does not begin with a key")
    if tags.count(PUBLIC_KEY) > 1:
        raise _several()
    parts = [Part(found[0], [])]
    for packet in found[1:]:
        if packet.tag == SIGNATURE:
            parts[-1].signatures.append(packet)
        elif packet.tag in (USER_ID, ATTRIBUTE, PUBLIC_SUBKEY):
            parts.append(Part(packet, []))
        else:
            raise unreadable("it holds something that no key holds")
    return Certificate(parts[0], parts[1:])


def public_key(body: bytes) -> PublicKey:
    """What a key packet says of itself; raises Invalid `key_unreadable`, and `key_secret` where more follows."""
    version, wide = body[:1], body[:1] == b"\x06"
    if version not in (b"\x04", b"\x06") or len(body) < (10 if wide else 6):
        raise unreadable("only keys of version 4 and 6 are read here")
    material = body[10:] if wide else body[6:]
    if wide and int.from_bytes(body[6:10], "big") != len(material):
        raise secret()
    name = ALGORITHMS.get(body[5], "")
    if wide:
        prefix, method = b"\x9b" + len(body).to_bytes(4, "big"), hashlib.sha256(usedforsecurity=False)
    else:
        prefix, method = b"\x99" + len(body).to_bytes(2, "big"), hashlib.sha1(usedforsecurity=False)
    method.update(prefix + body)
    return PublicKey(version[0], _moment(body[1:5]), name, _bits(name, material), method.hexdigest().upper())


def signature(packet: Packet) -> Signature | None:
    """What a signature says; None for one that is malformed or older than version 4."""
    body = packet.body
    width = {b"\x04": 2, b"\x06": 4}.get(body[:1])
    if width is None:
        return None
    try:
        hashed, at = _counted(body, 4, width)
        beside, _ = _counted(body, at, width)
        said = dict(_subpackets(hashed))
        told = dict(_subpackets(beside))
    except IndexError:
        return None
    if len(said.get(2, b"")) != 4:
        return None
    issuers = {value.hex().upper() for value in (said.get(16), told.get(16)) if value}
    issuers |= {value[1:].hex().upper() for value in (said.get(33), told.get(33)) if value}
    return Signature(
        packet,
        type=body[1],
        hash=body[3],
        created=_moment(said[2]),
        expires_after=_seconds(said.get(3)),
        key_expires_after=_seconds(said.get(9)),
        flags=said[27][0] if said.get(27) else None,
        issuers=frozenset(issuers),
    )


def _dearmoured(data: bytes) -> bytes:
    """The packets' bytes; the checksum of the armour is passed over (RFC 9580, section 6.1)."""
    if data[:1] >= b"\x80":
        return data
    kinds = _BLOCK.findall(data)
    if any(b"PRIVATE" in kind or b"SECRET" in kind for kind in kinds):
        raise secret()
    if not kinds:
        raise unreadable("no block begins in it")
    if len(kinds) > 1:
        raise _several()
    if kinds[0] != b"PUBLIC KEY BLOCK":
        raise unreadable("its block is of another kind")
    lines = data[data.index(b"-----BEGIN PGP ") :].splitlines()[1:]
    ends = [n for n, line in enumerate(lines) if line.startswith(b"-----END PGP PUBLIC KEY BLOCK-----")]
    if not ends:
        raise unreadable("its block does not end")
    block = [line.strip() for line in lines[: ends[0]]]
    start = block.index(b"") + 1 if b"" in block else 0
    coded = b"".join(line for line in block[start:] if not line.startswith(b"="))
    try:
        return base64.b64decode(coded, validate=True)
    except binascii.Error:
        raise unreadable("its block is damaged") from None


def _packets(data: bytes) -> Iterator[Packet]:
    at, count = 0, 0
    while at < len(data):
        count += 1
        if count > MOST_PACKETS:
            raise Invalid("key_too_large", f"it has more than {MOST_PACKETS} packets", where="key")
        try:
            tag, length, at = _header(data, at)
        except IndexError:
            raise unreadable("it ends too early") from None
        if at + length > len(data):
            raise unreadable("it ends too early")
        yield Packet(tag, data[at : at + length])
        at += length


def _header(data: bytes, at: int) -> tuple[int, int, int]:
    """(type, length, where the body begins), in the format of today or of 1996."""
    first = data[at]
    if not first & 0x80:
        raise unreadable("it is no row of packets")
    if not first & 0x40:
        if first & 3 == 3:
            raise unreadable("a packet has no length")
        width = 1 << (first & 3)
        return (first >> 2) & 0x0F, _number(data, at + 1, width), at + 1 + width
    length, at_body = _length(data, at + 1)
    return first & 0x3F, length, at_body


def _length(data: bytes, at: int) -> tuple[int, int]:
    first = data[at]
    if first < 192:
        return first, at + 1
    if first < 224:
        return ((first - 192) << 8) + data[at + 1] + 192, at + 2
    if first == 255:
        return _number(data, at + 1, 4), at + 5
    raise unreadable("a packet comes in pieces")


def _subpackets(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        first = data[at]
        if first < 192:
            length, at = first, at + 1
        elif first < 255:
            length, at = ((first - 192) << 8) + data[at + 1] + 192, at + 2
        else:
            length, at = _number(data, at + 1, 4), at + 5
        if length == 0 or at + length > len(data):
            raise IndexError("a subpacket is longer than what holds it")
        yield data[at] & 0x7F, data[at + 1 : at + length]
        at += length


def _counted(data: bytes, at: int, width: int) -> tuple[bytes, int]:
    length, start = _number(data, at, width), at + width
    if start + length > len(data):
        raise IndexError("longer than what holds it")
    return data[start : start + length], start + length


def _bits(algorithm: str, material: bytes) -> int | None:
    """The size of the key's first integer; None for curves. Nothing may follow what makes a public key."""
    try:
        if algorithm in _NUMBERS:
            sizes, at = [], 0
            for _ in range(_NUMBERS[algorithm]):
                number, at = _integer(material, at)
                sizes.append(number.bit_length())
            if sizes[0] > MOST_BITS or (algorithm == "RSA" and sizes[1] > MOST_EXPONENT_BITS):
                raise Invalid("key_too_large", f"a key has at most {MOST_BITS} bits", where="key")
        elif algorithm in ("ECDH", "ECDSA", "EdDSA"):
            _, at = _integer(material, 1 + material[0])
            at += 1 + material[at] if algorithm == "ECDH" else 0
        else:
            at = _OCTETS.get(algorithm, len(material))
    except IndexError:
        raise unreadable("a key in it is cut off") from None
    if at < len(material):
        raise secret()
    return sizes[0] if algorithm in _NUMBERS else None


def _integer(data: bytes, at: int) -> tuple[int, int]:
    end = at + 2 + (_number(data, at, 2) + 7) // 8
    if end > len(data):
        raise IndexError("longer than what holds it")
    return int.from_bytes(data[at + 2 : end], "big"), end


def _number(data: bytes, at: int, width: int) -> int:
    if at + width > len(data):
        raise IndexError("longer than what holds it")
    return int.from_bytes(data[at : at + width], "big")


def _seconds(value: bytes | None) -> int | None:
    return int.from_bytes(value[:4], "big") or None if value else None


def _moment(value: bytes) -> dt.datetime:
    return dt.datetime.fromtimestamp(int.from_bytes(value, "big"), dt.UTC)


def _several() -> Invalid:
    return Invalid("key_several", "this holds several keys; send one at a time", where="key")
