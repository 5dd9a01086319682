# SPDX-License-Identifier: Apache-2.0
"""A change that says what it saw (`If-Match`) and is asked again with its key: done once, and answered alike."""

from collections.abc import Iterator

import pytest

from app import clocks
from evidence.access import Role
from evidence.device import Device
from pipeline.devices_register import register_device
from tests.support.home import open_home
from tests.support.people import OFFICER, OURS, Hall, hall_of_people

CHANGES = {
    "/cases/{own}": ("investigator", "PATCH", "", {"title": "At gate 4"}),
    "/devices/CAM-1": ("admin", "PATCH", "", {"label": "No. 10"}),
    f"/officers/{OFFICER}": ("admin", "PATCH", "", {"name": "Li Ming"}),
    f"/units/{OURS}": ("admin", "PUT", "", {"name": "East"}),
    "/devices/CAM-2": ("admin", "POST", "/forbid", {}),
    "/recordings/{recording}": ("investigator", "POST", "/review", {"why": "looked at it"}),
}


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    with open_home(tmp_path_factory.mktemp("repeats")) as home, hall_of_people(home) as hall:
        for serial in ("CAM-1", "CAM-2"):
            register_device(Device(serial, unit=OURS), ports=home.ports, now=clocks.now())
        yield hall


@pytest.mark.parametrize("path", CHANGES)
def test_a_repeated_change_is_told_what_the_first_was_though_the_thing_has_changed_by_it(hall: Hall, path: str) -> None:
    who, method, act, body = CHANGES[path]
    person, path = hall[Role(who)], path.format(own=hall.cases["own"], recording=hall.recordings["own"])
    seen = person.get(path).headers["etag"]
    headers = {"If-Match": seen, "Idempotency-Key": f"once-{path.replace('/', '-')}"}

    first = person.ask(method, path + act, json=body, headers=headers)
    assert first.status_code == 200, first.text
    again = person.ask(method, path + act, json=body, headers=headers)
    assert (again.status_code, again.json()) == (200, first.json()), again.text
    assert again.headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize("path", [path for path, change in CHANGES.items() if change[0] == "admin"])
def test_a_first_change_of_what_has_changed_is_refused_and_does_nothing_and_its_key_is_free(
    hall: Hall, path: str
) -> None:
    who, method, act, body = CHANGES[path]
    person = hall[Role(who)]
    stale = {"If-Match": '"of-another-day"', "Idempotency-Key": f"stale-{path.replace('/', '-')}"}
    before = person.get(path).json()
    for headers in (stale, {"If-Match": stale["If-Match"]}, stale):
        refused = person.ask(method, path + act, json=body, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (412, "changed-meanwhile"), refused.text
    assert person.get(path).json() == before
