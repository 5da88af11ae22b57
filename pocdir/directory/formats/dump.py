"""dump: the public directory with a signed manifest, which anybody can mirror and check offline."""

from __future__ import annotations

import binascii
import hashlib
import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pocdir.core.canonical import b64, canonical_json, sha256
from pocdir.core.errors import Invalid
from pocdir.directory.formats import pocdir_json
from pocdir.directory.formats.text import json_value, refuse

SIGNED = b"pocdir directory dump 1\n"  # before the manifest: a signature for this means nothing anywhere else
PARTS = ("manifest", "signature", "directory")
_ED25519 = b"\x01"
_NAME = re.compile(r"[^\s+]{1,200}")


def verifier_key(name: str, public: bytes) -> str:
    """The key as text, `name+hash+base64`, in the form of C2SP signed notes."""
    return f"{name}+{_hash(name, public).hex()}+{b64(_ED25519 + public)}"


def public_key(text: str) -> tuple[str, bytes]:
    """Name and the 32 bytes of a verifier key; raises Invalid `key_invalid`."""
    name, _, rest = text.strip().partition("+")
    number, _, encoded = rest.partition("+")
    try:
        data = b64decode(encoded, validate=True)
    except binascii.Error:
        data = b""
    right = len(data) == 33 and data[:1] == _ED25519 and _hash(name, data[1:]).hex() == number
    if not right or not _NAME.fullmatch(name):
        raise Invalid("key_invalid", "a verifier key is right: name+hash+base64, one line", where="--key")
    return name, data[1:]


def _hash(name: str, public: bytes) -> bytes:
    return hashlib.sha256(f"{name}\n".encode() + _ED25519 + public).digest()[:4]


def write(directory: Mapping[str, Any], *, version: str, name: str, key: Ed25519PrivateKey) -> bytes:
    """The dump of a pocdir-json file (as a value) of this version of the directory; no clock stands in it."""
    manifest = {
        "format": "pocdir-json",
        "directory": name,
        "directory_version": version,
        "as_of": directory["source"]["date"],
        "teams": len(directory["teams"]),
        "sha256": sha256(canonical_json(directory)).hex(),
    }
    signature = {
        "key": verifier_key(name, key.public_key().public_bytes_raw()),
        "ed25519": b64(key.sign(SIGNED + canonical_json(manifest))),
    }
    whole = {"manifest": manifest, "signature": signature, "directory": directory}
    return pocdir_json.text_of(whole)


def verify(data: bytes, key: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(manifest, directory) of a dump that was signed by this verifier key.

    Raises Invalid `format_invalid` for what is no dump, `key_invalid`, and `dump_not_genuine` with what does not fit.
    """
    name, public = public_key(key)
    whole = json_value(data, "a dump of a directory in JSON")
    manifest, signature, directory = (_part(whole, name) for name in PARTS)
    _refuse_unsigned(whole, signature, key)
    try:
        signed = b64decode(signature.get("ed25519", ""), validate=True)
        Ed25519PublicKey.from_public_bytes(public).verify(signed, SIGNED + canonical_json(manifest))
    except (InvalidSignature, binascii.Error, TypeError, ValueError):
        raise _not_genuine(f"it is not signed by {name} with this key", "signature") from None
    try:
        digest = sha256(canonical_json(directory)).hex()
    except (ValueError, RecursionError):
        digest = ""
    if digest != manifest.get("sha256"):
        raise _not_genuine("its teams are not those that were signed", "directory")
    return manifest, directory


def _refuse_unsigned(whole: Mapping[str, Any], signature: Mapping[str, Any], key: str) -> None:
    """Nothing in the file may stand beside what the signature covers: a reader would take it for genuine."""
    beside = [it for it in whole if it not in PARTS]
    beside += [f"signature.{it}" for it in signature if it not in ("key", "ed25519")]
    if beside:
        named = ", ".join(repr(it[:40]) for it in sorted(beside)[:5])
        raise _not_genuine(f"{named} stands in it, which the signature does not cover", beside[0][:40])
    if signature.get("key") != key.strip():
        raise _not_genuine("it says that another key than this one signed it", "signature")


def _part(whole: Any, name: str) -> dict[str, Any]:
    part = whole.get(name) if isinstance(whole, dict) else None
    if not isinstance(part, dict):
        refuse("a dump is right: an object with manifest, signature and directory")
    return part


def _not_genuine(message: str, where: str) -> Invalid:
    return Invalid("dump_not_genuine", message, where=where)
