"""The guard before every OpenPGP key: what it is, and why it must not be used.

pysequoia verifies the signatures; it also encrypts to keys that are expired or revoked and reads private keys as if
they were public, so that nothing of it is used but through here. It judges by the machine's clock; dates are held
against `now` as well.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import pysequoia

from pocdir.core.errors import Invalid
from pocdir.core.mailboxes import parse_mailbox
from pocdir.mail.rules import packets
from pocdir.mail.rules.packets import Packet, Part, PublicKey, Signature

Answer = TypeVar("Answer")

MOST_BYTES = 256 * 1024
MOST_PARTS = 60
MOST_TRIES = 5  # signatures of one part that are tried, the newest first
LEAST_BITS = 2048
SKEW = dt.timedelta(minutes=5)

# Why a key must not be used; the order is the one in which they are said.
REASONS = {
    "revoked": "it is revoked",
    "expired": "it has expired",
    "future": "it says that it was made in the future",
    "weak": f"it is weak: RSA, DSA or ElGamal with fewer than {LEAST_BITS} bits",
    "weak_hash": "what holds it together is signed over SHA-1 or MD5, which can be forged",
    "unsupported": "it uses an algorithm that RFC 9580 does not define",
    "unbound": "no valid signature of its owner holds it together",
    "no_encryption": "no valid subkey of it says that it is for encryption",
    "elgamal": "its subkey for encryption is ElGamal, to which nothing here encrypts",
    "encryption_expired": "its subkeys for encryption have expired",
    "encryption_revoked": "its subkeys for encryption are revoked",
    "other_fingerprint": "it is another key than the one that was pinned",
    "unreadable": "it cannot be read",
}


@dataclass(frozen=True, slots=True)
class Subkey:
    """A subkey for encryption that its owner bound to the key; `expires` None: never."""

    fingerprint: str
    algorithm: str
    bits: int | None
    expires: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Key:
    """One public key as it was read at a time; `reasons` (of REASONS): why it must not be used, none when it may.

    `public` is the least of it that still works: without signatures of others, without photos, with the user ids of
    the wanted addresses alone. Names of persons are not read out; `addresses` are all that its user ids name.
    """

    fingerprint: str
    algorithm: str
    bits: int | None
    created: dt.datetime
    expires: dt.datetime | None  # of the key or of its last subkey for encryption, whichever is first
    addresses: tuple[str, ...]
    subkeys: tuple[Subkey, ...]
    reasons: tuple[str, ...]
    signed_at: dt.datetime | None  # the newest signature of its owner: which of two copies is newer
    public: bytes


def read(data: bytes, *, now: dt.datetime, addresses: Collection[str] = ()) -> Key:
    """The key in these bytes, armoured or not; `addresses`: of which user ids stay in `public`.

    Where no user id names one of them and the key needs one, the first valid one stays.
    Raises Invalid `key_too_large`, `key_secret` (before anything is parsed further), `key_several`, `key_unreadable`.
    """
    if len(data) > MOST_BYTES:
        raise Invalid("key_too_large", f"a key has at most {MOST_BYTES // 1024} kB here", where="key")
    given = packets.certificate(data)
    if len(given.parts) > MOST_PARTS:
        raise Invalid(
            "key_too_large", f"a key has at most {MOST_PARTS} user ids and subkeys here", where="key"
        )
    return _judged(_Reading(given, now), frozenset(addresses))


def usable(public: bytes | str, *, fingerprint: str, now: dt.datetime) -> tuple[str, ...]:
    """Why a kept key must not be used at `now` (of REASONS); empty when it may. Asked before every use."""
    try:
        key = read(public.encode() if isinstance(public, str) else public, now=now)
    except Invalid:
        return ("unreadable",)
    return key.reasons if key.fingerprint == fingerprint else ("other_fingerprint", *key.reasons)


def armoured(public: bytes) -> str:
    """The public key as text."""
    return str(pysequoia.armor(public, pysequoia.ArmorKind.PublicKey))


class _Reading:
    """The parts of one key that its owner's signatures hold together, each with the newest such signature."""

    def __init__(self, given: packets.Certificate, now: dt.datetime) -> None:
        self.now = now
        self.key = packets.public_key(given.primary.packet.body)
        self.head = bytes(given.primary.packet)
        # Any revocation counts, also one that cannot be checked here: made by another key, or over a weak hash.
        revoked = [it for it in _signatures(given.primary) if it.type == packets.KEY_REVOKED]
        self.revocations = b"".join(bytes(it.packet) for it in revoked[:MOST_TRIES])
        self.users = [part for part in given.parts if part.packet.tag == packets.USER_ID]
        self.subkeys = [
            (packets.public_key(part.packet.body), part)
            for part in given.parts
            if part.packet.tag == packets.PUBLIC_SUBKEY and part.packet.body[:1] in (b"\x04", b"\x06")
        ]
        tried = self.newest(given.primary, {packets.DIRECT})
        self.direct = next((it for it in tried if _holds(self.head + bytes(it.packet))), None)
        self.bound = list(self._users())
        self.body = self.built(self.bound)

    def built(self, parts: Sequence[_Bound], revoked: bytes = b"") -> bytes:
        """The key with these parts alone."""
        direct = bytes(self.direct.packet) if self.direct else b""
        return self.head + revoked + direct + b"".join(map(bytes, parts))

    def newest(self, part: Part, types: Collection[int]) -> list[Signature]:
        """Its owner's signatures of these types that count at `now`, the newest first."""
        mine = [
            it
            for it in _signatures(part)
            if it.type in types
            and it.may_be_by(self.key)
            and it.created <= self.now + SKEW
            and not _is_over(it.created, it.expires_after, self.now)
        ]
        return sorted(mine, key=lambda it: it.created, reverse=True)[:MOST_TRIES]

    def is_weakly_signed(self) -> bool:
        """Whether its owner signed a user id over a weak hash."""
        held = (it for part in self.users for it in self.newest(part, packets.CERTIFICATIONS))
        return any(it.hash in packets.WEAK_HASHES for it in held)

    def binding(self, part: Part, tried: Sequence[Signature]) -> Signature | None:
        """The newest signature that binds this subkey for encryption: to such a key pysequoia encrypts, also when
        it has expired."""
        some = (it for it in tried if it.encrypts)
        return next((it for it in some if _encrypts_to(self.body + bytes(_Bound(part.packet, it)))), None)

    def _users(self) -> Iterator[_Bound]:
        for part in self.users:
            if any(
                it.type == packets.CERTIFICATION_REVOKED and it.may_be_by(self.key)
                for it in _signatures(part)
            ):
                continue
            tried = (_Bound(part.packet, it) for it in self.newest(part, packets.CERTIFICATIONS))
            first = next((it for it in tried if _names_somebody(self.head + bytes(it))), None)
            if first is not None:
                yield first


@dataclass(frozen=True, slots=True)
class _Bound:
    """A user id or subkey with the signature that binds it."""

    packet: Packet
    signature: Signature

    def __bytes__(self) -> bytes:
        return bytes(self.packet) + bytes(self.signature.packet)


def _judged(it: _Reading, wanted: frozenset[str]) -> Key:
    found, others, why = _subkeys(it)
    alive = [subkey for subkey, _ in found if subkey.expires is None or subkey.expires > it.now]
    kept = [user for user in it.bound if _address(user.packet) in wanted]
    if not kept and it.direct is None:
        kept = it.bound[:1]
    public = it.built(
        [*kept, *(bound for subkey, bound in found if subkey in alive), *others], it.revocations
    )
    # Without the other user ids it may last longer than with them: the shorter counts.
    ends = [end for end in (_expiration(it.body), _expiration(public)) if end is not None]
    reasons = _of_the_key(it, min(ends, default=None), public)
    if not alive and not reasons & {"weak", "weak_hash", "unbound", "unsupported"}:
        reasons |= {"encryption_expired", *why} - {"no_encryption"} if found else why
    lasts = [subkey.expires for subkey in alive]
    ends += [] if None in lasts else [max(end for end in lasts if end is not None)] if lasts else []
    signed = [bound.signature.created for bound in (*it.bound, *(bound for _, bound in found))]
    return Key(
        fingerprint=it.key.fingerprint,
        algorithm=it.key.algorithm,
        bits=it.key.bits,
        created=it.key.created,
        expires=min(ends, default=None),
        addresses=tuple(dict.fromkeys(a for user in it.bound if (a := _address(user.packet)))),
        subkeys=tuple(alive),
        reasons=tuple(reason for reason in REASONS if reason in reasons),
        signed_at=max([*signed, *([it.direct.created] if it.direct else [])], default=None),
        public=public,
    )


def _of_the_key(it: _Reading, expires: dt.datetime | None, public: bytes) -> set[str]:
    """Why the key itself must not be used, whatever its subkeys are."""
    found = {
        "revoked": bool(it.revocations),
        "expired": expires is not None and expires <= it.now,
        "future": it.key.created > it.now + SKEW,
        "weak": _is_weak(it.key),
        "unsupported": not it.key.algorithm,
    }
    if not (it.bound or it.direct) or not _holds(public):
        found["weak_hash" if it.is_weakly_signed() else "unbound"] = not (
            found["weak"] or found["unsupported"]
        )
    return {reason for reason, holds in found.items() if holds}


def _subkeys(it: _Reading) -> tuple[list[tuple[Subkey, _Bound]], list[_Bound], set[str]]:
    """(those for encryption, others that are neither revoked nor expired, why there is none for encryption)."""
    found: list[tuple[Subkey, _Bound]] = []
    others: list[_Bound] = []
    why: set[str] = set()
    for key, part in it.subkeys:
        tried = it.newest(part, {packets.BINDING})
        if not tried or key.created > it.now + SKEW:
            continue
        newest = tried[0]
        if any(signature.type == packets.SUBKEY_REVOKED for signature in _signatures(part)):
            why |= {"encryption_revoked"} if newest.encrypts else set()
        elif not newest.encrypts:
            is_over = _is_over(key.created, newest.key_expires_after, it.now)
            others += [] if is_over else [_Bound(part.packet, newest)]
        elif _is_weak(key) or newest.hash in packets.WEAK_HASHES:
            why.add("weak" if _is_weak(key) else "weak_hash")
        elif not key.algorithm or key.algorithm == "ElGamal":
            why.add("elgamal" if key.algorithm else "unsupported")
        elif (bound := it.binding(part, tried)) is not None:
            after = bound.key_expires_after
            ends = None if after is None else key.created + dt.timedelta(seconds=after)
            subkey = Subkey(key.fingerprint, key.algorithm, key.bits, ends)
            found.append((subkey, _Bound(part.packet, bound)))
    return found, others, why or {"no_encryption"}


def _signatures(part: Part) -> list[Signature]:
    read = (packets.signature(packet) for packet in part.signatures)
    return [it for it in read if it is not None]


def _is_weak(key: PublicKey) -> bool:
    return key.bits is not None and key.bits < LEAST_BITS


def _is_over(begin: dt.datetime, after: int | None, now: dt.datetime) -> bool:
    return after is not None and begin + dt.timedelta(seconds=after) <= now


def _address(packet: Packet) -> str:
    """The mail address that a user id names, or nothing."""
    text = packet.body.decode("utf-8", "replace").strip()
    inner = text[text.rindex("<") + 1 : -1] if text.endswith(">") and "<" in text else text
    try:
        return parse_mailbox(inner).lower()
    except ValueError:
        return ""


def _names_somebody(data: bytes) -> bool:
    return _asked(data, lambda cert: bool(cert.user_ids)) or False


def _holds(data: bytes) -> bool:
    return _asked(data, lambda cert: (cert.expiration, True)[1]) or False


def _expiration(data: bytes) -> dt.datetime | None:
    return _asked(data, lambda cert: cert.expiration)


def _encrypts_to(data: bytes) -> bool:
    return _asked(data, lambda cert: bool(pysequoia.encrypt(b"", recipients=[cert], armor=False))) or False


def _asked(data: bytes, question: Callable[[pysequoia.Cert], Answer]) -> Answer | None:
    """None where the library refuses. Its errors carry its inside and are told nobody; a panic is no Exception."""
    try:
        return question(pysequoia.Cert.from_bytes(data))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:
        return None
