"""Who signed a text: a clear-signed OpenPGP message held against keys that are known already."""

from __future__ import annotations

from collections.abc import Sequence

import pysequoia

from pocdir.core.errors import Invalid

MOST_BYTES = 64 * 1024


def signer(signed: str, keys: Sequence[str]) -> tuple[str, str]:
    """(fingerprint of the key, in capitals, the signed text) of a message signed by one of these armoured keys.

    Which key may be used is the guard's to say (`openpgp.usable`), before. Raises Invalid `signature_invalid` for
    whatever is not such a message, or is signed by another key; nothing of the library's words is shown.
    """
    data = signed.replace("\r\n", "\n").strip().encode("utf-8", "replace")
    if not data or len(data) > MOST_BYTES:
        raise _refused("paste the whole signed message, from BEGIN to END")
    known = {}
    for key in keys:
        cert = pysequoia.Cert.from_bytes(key.encode())
        known[str(cert.fingerprint).upper()] = cert
    try:
        verified = pysequoia.verify(data, store=lambda _ids: list(known.values()))
        made = [str(each.certificate).upper() for each in verified.valid_sigs]
        text = bytes(verified.bytes or b"").decode("utf-8", "replace")
    except Exception:  # the library raises RuntimeError, OSError and its own for hostile bytes alike
        made, text = [], ""
    fingerprint = next((each for each in made if each in known), None)
    if fingerprint is None:
        raise _refused("this is not signed by a key that is pinned for this team")
    return fingerprint, text


def _refused(message: str) -> Invalid:
    return Invalid("signature_invalid", message, where="signed")
