"""The guard before every OpenPGP key: what may be used, and each reason why not."""

from __future__ import annotations

import csv
import datetime as dt
import random
from pathlib import Path

import pysequoia
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocdir.core.errors import Invalid
from pocdir.mail.rules import openpgp
from tests.mail import keys

NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
CODES = {"key_too_large", "key_secret", "key_several", "key_unreadable"}
# Labelled ok and strong by another program, and not used here: why.
NOT_USED = {
    "hkp_contrib_docker-compose_testswarm_hkp2_keydump.scenario4_carol.pgp": "elgamal",
    "pgpy_keys_dsa.1.pub.asc": "elgamal",
    # Its subkey of 2048 bits ended in 2015, the one that lives has 1024.
    "ojs_key_11_valid_binding_sig_among_many_expired_sigs_pub.asc": "encryption_expired weak",
    "gocrw_00_e2ePublicKey.asc": "no_encryption",  # no signature says what its subkey is for
    "hkp_alice_signed.asc": "weak_hash",
    "hkp_fece664e.asc": "weak_hash",
    "hkp_sksdigest.asc": "weak_hash",
    "pgpy_keys_rsa.1.pub.asc": "weak_hash",
    "ojs_key_07_pub_sig_test.asc": "weak_hash",
    "goc_01_invalidCrossSignatureKey.asc": "weak_hash",
}


def read(data: bytes, now: dt.datetime = NOW, **more: object) -> openpgp.Key:
    return openpgp.read(data, now=now, **more)  # type: ignore[arg-type]


def test_a_good_key_may_be_used_armoured_or_not() -> None:
    made = keys.key()
    for data in (made.data, made.text.encode(), b"Dear all,\n\n" + made.text.replace("\n", "\r\n").encode()):
        key = read(data)
        assert key.reasons == ()
        assert (key.fingerprint, key.algorithm) == (made.fingerprint, "Ed25519")
        assert key.addresses == ("cert@cert.example",)
        assert [subkey.algorithm for subkey in key.subkeys] == ["X25519"]
        assert (key.created, key.expires) == (keys.CREATED, None)


def test_its_fingerprint_is_the_one_that_the_library_reads() -> None:
    made = keys.key()
    assert pysequoia.Cert.from_bytes(made.data).fingerprint.upper() == read(made.data).fingerprint


@pytest.mark.parametrize(
    ("words", "reasons"),
    [
        ({"expires": keys.CREATED + DAY}, ("expired",)),
        ({"revoked": True}, ("revoked",)),
        ({"created": NOW + DAY}, ("future",)),
        ({"subkey": False}, ("no_encryption",)),
        ({"subkey_flags": 0x02}, ("no_encryption",)),
        ({"subkey_expires": NOW - DAY}, ("encryption_expired",)),
        ({"subkey_revoked": True}, ("encryption_revoked",)),
        ({"hash": keys.SHA1}, ("weak_hash",)),
        ({"subkey_hash": keys.SHA1}, ("weak_hash",)),
        ({"subkey_bits": 1024}, ("weak",)),
    ],
)
def test_each_reason_why_a_key_must_not_be_used(words: dict[str, object], reasons: tuple[str, ...]) -> None:
    key = read(keys.key(**words).data)  # type: ignore[arg-type]
    assert set(reasons) <= set(key.reasons)
    assert all(reason in openpgp.REASONS for reason in key.reasons)


def test_the_library_alone_would_encrypt_to_an_expired_and_to_a_revoked_key() -> None:
    for words in ({"expires": keys.CREATED + DAY}, {"revoked": True}):
        cert = pysequoia.Cert.from_bytes(keys.key(**words).data)  # type: ignore[arg-type]
        assert pysequoia.encrypt(b"", recipients=[cert])


def test_a_key_expires_with_its_last_subkey_for_encryption() -> None:
    key = read(keys.key(expires=keys.LATE, subkey_expires=keys.LATE - 30 * DAY).data)
    assert key.expires == keys.LATE - 30 * DAY


def test_what_may_be_used_today_may_not_after_its_end() -> None:
    made = keys.key(expires=keys.LATE)
    public = read(made.data).public
    assert openpgp.usable(public, fingerprint=made.fingerprint, now=NOW) == ()
    assert "expired" in openpgp.usable(public, fingerprint=made.fingerprint, now=keys.LATE)
    assert openpgp.usable(public, fingerprint="0" * 40, now=NOW) == ("other_fingerprint",)
    assert openpgp.usable(b"junk", fingerprint=made.fingerprint, now=NOW) == ("unreadable",)
    assert openpgp.usable(openpgp.armoured(public), fingerprint=made.fingerprint, now=NOW) == ()


def test_the_kept_key_is_the_least_that_works() -> None:
    made = keys.key("Jane Doe <jane@home.example>", "CERT <cert@cert.example>", stranger=True, photo=True)
    key = read(made.data, addresses={"cert@cert.example"})
    assert key.addresses == ("jane@home.example", "cert@cert.example")
    assert b"Jane" not in key.public and b"cert@cert.example" in key.public
    kept = read(key.public)
    assert (kept.reasons, kept.addresses, kept.fingerprint) == ((), ("cert@cert.example",), made.fingerprint)
    assert len(key.public) < len(made.data) - 100


def test_one_user_id_stays_where_none_is_the_teams() -> None:
    key = read(
        keys.key("One <one@home.example>", "Two <two@home.example>").data, addresses={"cert@cert.example"}
    )
    assert read(key.public).addresses == ("one@home.example",)


def test_a_private_key_is_refused_and_nowhere_repeated() -> None:
    made = keys.key(private=True)
    hidden = keys.armour(made.data)
    for data in (made.data, hidden.encode(), keys.armour(made.data, "PRIVATE KEY BLOCK").encode()):
        with pytest.raises(Invalid) as refused:
            read(data)
        assert refused.value.code == "key_secret"
        assert "ssss" not in str(refused.value) and refused.value.__cause__ is None
    # What follows the numbers of a public key may be secret ones.
    body = bytearray(keys.key().data)
    body[5], body[6:6] = body[5] + 3, b""
    with pytest.raises(Invalid) as refused:
        read(bytes(body[:6]) + bytes(body[6 : 6 + 38]) + b"abc" + bytes(body[6 + 38 :]))
    assert refused.value.code == "key_secret"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "key_unreadable"),
        (b"<!doctype html><p>Our key", "key_unreadable"),
        (b"\x99", "key_unreadable"),
        (keys.key().data + keys.key(seed="other").data, "key_several"),
        ((keys.key().text + keys.key(seed="other").text).encode(), "key_several"),
        (keys.armour(keys.key().data, "MESSAGE").encode(), "key_unreadable"),
        (keys.key().text.replace("A", "*").encode(), "key_unreadable"),
        (keys.key().text.encode()[:-40], "key_unreadable"),
        (keys.key().data[:-1], "key_unreadable"),
        (b"\x99" * (openpgp.MOST_BYTES + 1), "key_too_large"),
        (keys.key(*(f"a{n}@cert.example" for n in range(70))).data, "key_too_large"),
        (keys.packet(10, b"PGP") * 3000, "key_too_large"),
    ],
)
def test_what_is_no_single_key_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(data)
    assert refused.value.code == code


def test_the_labels_of_real_keys_are_met(shared_data: Path) -> None:
    with (shared_data / "identity" / "manifest.csv").open(newline="") as opened:
        rows = [row for row in csv.DictReader(opened) if row["path"].startswith("openpgp/")]
    assert len(rows) > 60
    found = {}
    for row in rows:
        name, label = Path(row["path"]).name, set(row["label"].split("+"))
        found[name] = _read((shared_data / "identity" / row["path"]).read_bytes())
        if label & {"expired", "revoked", "weak", "unusable-or-malformed"}:
            assert found[name], f"{name} is {row['label']}, and would be used"
        else:
            assert (
                set(found[name]) == set(NOT_USED[name].split()) if name in NOT_USED else found[name] == ()
            ), name
    assert sum(reasons == () for reasons in found.values()) >= 11


def _read(data: bytes) -> tuple[str, ...]:
    try:
        return read(data).reasons
    except Invalid as refused:
        return (refused.code,)


@given(st.binary(max_size=2000))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    _read_or_refuse(data)
    _read_or_refuse(b"\xc6" + data)


@given(st.randoms(use_true_random=False))
def test_mutated_keys_are_read_or_refused(chance: random.Random) -> None:
    _read_or_refuse(_mutated(keys.key("a@cert.example", stranger=True, photo=True).data, chance))


@pytest.mark.long
def test_20000_mutated_real_keys_are_read_or_refused(shared_data: Path) -> None:
    chance = random.Random(3)
    files = sorted((shared_data / "identity" / "openpgp").iterdir())
    real = [data for file in files if len(data := file.read_bytes()) < 20_000]
    for _ in range(20_000):
        _read_or_refuse(_mutated(chance.choice(real), chance))


def _mutated(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(changed))
        match chance.randrange(4):
            case 0:
                changed[at] = chance.randrange(256)
            case 1:
                del changed[at : at + chance.randint(1, 40)]
            case 2:
                changed[at:at] = changed[: chance.randint(1, 60)]
            case _:
                changed[at] ^= 1 << chance.randrange(8)
        if not changed:
            return b""
    return bytes(changed)


def _read_or_refuse(data: bytes) -> None:
    try:
        key = read(data)
    except Invalid as refused:
        assert refused.code in CODES
    else:
        assert len(key.fingerprint) in (40, 64)
        assert key.reasons or key.subkeys
