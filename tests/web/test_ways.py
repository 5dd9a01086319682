# SPDX-License-Identifier: Apache-2.0
"""Whoever is not signed in yet is told by what means one signs in here, and nothing else."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.home import open_home
from tests.support.people import hall_of_people
from web.signin.means import Means


@pytest.mark.parametrize(("address", "ways"), [("", False), ("http://localhost", True)])
def test_a_server_that_was_told_its_name_takes_passkeys(tmp_path: Path, address: str, ways: bool) -> None:
    told: Mapping[str, bool] = {"passkey": ways, "oidc": False}
    means = Means(public_url=address)
    with open_home(tmp_path / "home") as home, hall_of_people(home, is_filled=False, sign_in=means) as hall:
        answer = hall.nobody.get("/v1/session/ways")
    assert (answer.status_code, answer.json()) == (200, told)
