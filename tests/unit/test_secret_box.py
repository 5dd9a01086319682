# SPDX-License-Identifier: Apache-2.0
"""Small secrets rest sealed under a key of the installation, for one purpose each."""

import secrets
from pathlib import Path

import pytest

from evidence.errors import BadInput, StoreUnavailable
from storage.secret_box import FILE, SecretBox


def test_a_secret_opens_for_its_purpose_and_after_a_restart(tmp_path: Path) -> None:
    sealed = SecretBox.create_or_load(tmp_path, chance=secrets.token_bytes).seal(b"s", "totp:usr-a")

    assert SecretBox.create_or_load(tmp_path, chance=secrets.token_bytes).open(sealed, "totp:usr-a") == b"s"
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("broken", ["", "AAAA", "not base64!", "é"])
def test_what_is_no_sealed_secret_does_not_open(tmp_path: Path, broken: str) -> None:
    with pytest.raises(StoreUnavailable):
        SecretBox.create_or_load(tmp_path, chance=secrets.token_bytes).open(broken, "p")


def test_a_secret_that_was_moved_to_another_purpose_does_not_open(tmp_path: Path) -> None:
    box = SecretBox.create_or_load(tmp_path, chance=secrets.token_bytes)
    with pytest.raises(StoreUnavailable):
        box.open(box.seal(b"s", "totp:usr-a"), "totp:usr-b")


def test_a_secret_does_not_open_under_another_key(tmp_path: Path) -> None:
    sealed = SecretBox.create_or_load(tmp_path / "a", chance=secrets.token_bytes).seal(b"s", "p")
    with pytest.raises(StoreUnavailable):
        SecretBox.create_or_load(tmp_path / "b", chance=secrets.token_bytes).open(sealed, "p")


def test_equal_secrets_are_sealed_unequally(tmp_path: Path) -> None:
    box = SecretBox.create_or_load(tmp_path, chance=secrets.token_bytes)
    assert box.seal(b"s", "p") != box.seal(b"s", "p")


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    SecretBox.create_or_load(tmp_path, chance=secrets.token_bytes)
    (tmp_path / FILE).chmod(0o644)
    with pytest.raises(BadInput):
        SecretBox.create_or_load(tmp_path, chance=secrets.token_bytes)


def test_a_file_that_holds_no_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("nothing")
    (tmp_path / FILE).chmod(0o600)
    with pytest.raises(BadInput):
        SecretBox.create_or_load(tmp_path, chance=secrets.token_bytes)
