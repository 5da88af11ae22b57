"""The service's own OpenPGP key: made once, readable by its owner only, or given."""

from __future__ import annotations

import dataclasses
import stat
from pathlib import Path

import pytest

from pocdir import config
from pocdir.core.errors import Invalid
from pocdir.mail.own_key import FILE, kept, own_key
from pocdir.mail.rules.encryption import new_key, public_of
from tests.conftest import settings_for


def test_it_is_made_once_and_kept_beside_the_secret(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, "sqlite:///x")
    assert kept(settings) is None
    made = own_key(settings)
    assert own_key(settings) == made
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    fingerprint, public = public_of(made)
    assert kept(settings) == (fingerprint, public)
    assert "PRIVATE" not in public and "<pocdir@localhost>" in public


def test_a_given_one_is_used_and_one_that_cannot_sign_is_refused(tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.write_text(new_key("pocdir", "pocdir@pocdir.example"))
    environ = {"POCDIR_DATA": str(tmp_path), "POCDIR_OPENPGP_KEY_FILE": str(given)}
    settings = config.load(environ)
    assert own_key(settings) == given.read_text().strip()
    given.write_text(public_of(given.read_text())[1])
    with pytest.raises(Invalid, match="POCDIR_OPENPGP_KEY: an OpenPGP private key without a password"):
        config.load(environ)
    (tmp_path / FILE).write_text("broken")
    with pytest.raises(Invalid, match="no OpenPGP private key"):
        own_key(dataclasses.replace(settings, openpgp_key=None))
