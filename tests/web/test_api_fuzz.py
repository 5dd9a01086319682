# SPDX-License-Identifier: Apache-2.0
"""This is where the API's own description is believed, and the API is asked all that it says may be asked.

Whatever is sent, by whoever, is answered as the description says, and never by a defect.
"""

import random
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.signing_in import means_of
from app.wiring import open_keys
from evidence.access import Role
from tests.support.chaos import times
from tests.support.home import open_home
from tests.support.people import Hall, hall_of_people, signed_in

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
CASES = times(400, 20_000)
WHO = (Role.INVESTIGATOR, Role.AUDITOR, Role.OFFICER, Role.ADMIN, Role.APPROVER, Role.LEGAL, Role.SERVICE)
ENDLESS = "text/event-stream"


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    with open_home(tmp_path_factory.mktemp("fuzz")) as home:
        keys = open_keys(home.settings)
        vkeys = (keys.log.verifier_key, keys.records.verifier_key)
        with hall_of_people(home, proof_keys=vkeys, sign_in=means_of(home.settings)) as made:
            yield made


def test_whatever_is_asked_is_answered_as_the_description_says(hall: Hall) -> None:
    schema = schemathesis.openapi.from_dict(hall.app.openapi())
    operations = [one.ok() for one in schema.get_all_operations() if isinstance(one, Ok)]
    asked = [one for one in operations if ENDLESS not in str(one.definition.raw.get("responses", {}).get("200", ""))]
    docks = sum(map(is_of_docks, asked))
    each = max(3, CASES // (len(asked) - docks))
    met = Counter[int]()
    breaks = [told for one in asked for told in fuzzed(hall, one, met, examples=1 if is_of_docks(one) else each)]
    assert not breaks, "\n\n".join(breaks)
    # Had everything been refused at the door, nothing would have been tried.
    assert sum(number for status, number in met.items() if status < HTTPStatus.BAD_REQUEST) > met.total() / 20, met


def fuzzed(hall: Hall, operation: Any, met: Counter[int], *, examples: int) -> list[str]:
    """What did not hold of one operation."""
    found: list[str] = []
    chance = random.Random(operation.label)

    @seed(7)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def one(case: Case[Any]) -> None:
        told = asked_once(hall, case, met, chance)
        if told is not None:
            found.append(told)

    one()
    return found[:1]


def asked_once(hall: Hall, case: Case[Any], met: Counter[int], chance: random.Random) -> str | None:
    """Ask by somebody, about something that is there as often as not; what did not hold of the answer."""
    known = {"recording": list(hall.recordings.values()), "case": list(hall.cases.values())}
    for name in case.path_parameters or {}:
        if name in known and chance.random() < 0.7:
            case.path_parameters[name] = chance.choice(known[name])
    for name in case.query or {}:
        if name in known and chance.random() < 0.7:
            case.query[name] = chance.choice(known[name])
    case.headers.pop("Authorization", None)  # guessed from the description; who asks is for us to say
    case.cookies.clear()
    who = None if chance.random() < 0.05 else chance.choice(WHO)
    try:
        response = case.call(base_url=str(hall.nobody.base_url), headers=headers_of(hall, who), timeout=20)
        met[response.status_code] += 1
        case.validate_response(response, checks=CHECKS[:1] if is_of_docks(case.operation) else CHECKS)
    except httpx2.HTTPError as error:
        return f"{case.operation.label} as {who}: {error!r}"
    except (Exception, BaseExceptionGroup) as error:  # each of its checks has an error of its own
        return f"{case.operation.label} as {who}: {error}\n{case.as_curl_command()}"
    return None


def is_of_docks(operation: Any) -> bool:
    """True for the protocol of docks: what that answers is told on a page of its own, and tested by its own tests."""
    return bool(operation.definition.raw.get("tags") == ["dock protocol"])


def headers_of(hall: Hall, who: Role | None) -> dict[str, str]:
    """What proves who asks, in a session that began a moment ago: another case may have ended the last one."""
    if who is None:
        return {}
    person = hall[who]
    if who is not Role.SERVICE:
        person = signed_in(hall.home.ports, person.actor.name, hall.nobody, person.actor)
    return dict(person.headers)
