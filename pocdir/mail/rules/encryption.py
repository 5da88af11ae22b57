"""Encrypting a letter to one key, signed with this service's own (RFC 3156, 6.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pysequoia

from pocdir.core.errors import Invalid

Answer = TypeVar("Answer")


def new_key(name: str, address: str) -> str:
    """A new private key, armoured, for signing: Ed25519 as RFC 4880 has it, which every program reads; no expiry."""
    user_id = f"{name} <{address}>"
    return str(pysequoia.Tsk.generate(user_ids=[user_id], profile=pysequoia.Profile.RFC4880))


def public_of(private: str) -> tuple[str, str]:
    """(fingerprint in capitals, public key as text) of an armoured private key; raises Invalid `setting_invalid`."""

    def read() -> tuple[str, str]:
        cert = _own(private).extract_certificate()
        return str(cert.fingerprint).upper(), str(cert)

    return _told(read, "setting_invalid", "it is no OpenPGP private key without a password that can sign")


def encrypted(data: bytes, *, public: str, private: str) -> str:
    """The data signed with our private key and encrypted to the public one, armoured.

    Whether that one may be used is the guard's to say (`openpgp.usable`), before. Raises Invalid `key_unusable`;
    nothing of the library's words is shown.
    """

    def make() -> str:
        cert = pysequoia.Cert.from_bytes(public.encode())
        return pysequoia.encrypt(data, recipients=[cert], signer=_own(private).signer()).decode("ascii")

    return _told(make, "key_unusable", "the letter could not be encrypted to this key")


def _own(private: str) -> pysequoia.Tsk:
    key = pysequoia.Tsk.from_bytes(private.encode())
    key.signer()
    return key


def _told(make: Callable[[], Answer], code: str, message: str) -> Answer:
    """Its errors carry the library's inside and are told nobody; a panic is no Exception."""
    try:
        return make()
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:
        raise Invalid(code, message) from None
