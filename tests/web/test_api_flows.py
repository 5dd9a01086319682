# SPDX-License-Identifier: Apache-2.0
"""The API is gone through from thing to thing, as its description says they lead to one another, by anybody.

What one answer made or listed, the next request asks for, changes or takes away; and each answer is as described.
"""

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
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
FLOWS, STEPS = times(10, 400), 12
WHO = (*(Role.ADMIN, Role.INVESTIGATOR, Role.LEGAL) * 3, Role.OFFICER, Role.APPROVER, Role.AUDITOR, Role.SERVICE)


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    with open_home(tmp_path_factory.mktemp("flows")) as home:
        keys = open_keys(home.settings)
        vkeys = (keys.log.verifier_key, keys.records.verifier_key)
        with hall_of_people(home, proof_keys=vkeys, sign_in=means_of(home.settings)) as made:
            yield made


def test_things_are_made_changed_and_taken_away_as_the_description_leads(hall: Hall) -> None:
    met, ways, breaks = Counter[int](), Counter[str](), []
    chance = random.Random(7)
    told = schemathesis.openapi.from_dict(hall.app.openapi())
    schema = told.exclude(tag="dock protocol").exclude(path="/v1/events")
    base: Any = schema.as_state_machine()

    class Flow(base):  # type: ignore[misc]
        """One way through the API."""

        mostly: Role | None = None

        def call(self, case: Case[Any], **_: Any) -> Any:
            """Ask by somebody; what hangs on the session of another case begins anew."""
            case.headers.pop("Authorization", None)
            case.cookies.clear()
            # One person goes through most of it: what they made, they may look at.
            self.mostly = self.mostly or chance.choice(WHO)
            who = chance.choice(WHO) if chance.random() < 0.1 else self.mostly
            headers = dict(hall[who].headers)
            if who is not Role.SERVICE:
                actor = hall[who].actor
                headers = dict(signed_in(hall.home.ports, actor.name, hall.nobody, actor).headers)
            return case.call(base_url=str(hall.nobody.base_url), headers=headers, timeout=20)

        def validate_response(self, response: Any, case: Case[Any], *_: Any, **__: Any) -> None:
            """Count it; what does not hold is told at the end, so that one defect hides no other."""
            met[response.status_code] += 1
            ways[case.operation.label] += response.status_code < 400
            try:
                case.validate_response(response, checks=CHECKS)
            except (Exception, BaseExceptionGroup) as error:  # each of its checks has an error of its own
                breaks.append(f"{case.operation.label}: {error}\n{case.as_curl_command()}")

    def led() -> bool:
        return any("{" in way and number for way, number in ways.items())

    quiet = settings(
        max_examples=2,  # the first is always the simplest there is
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    for number in range(FLOWS * 10):
        # What stands on the server has no way back to before: a flow is gone through once, and never again.
        Flow.run(settings=quiet)
        if number >= FLOWS and led():
            break
    print(f"{met.total()} requests, {met}, {len([one for one in ways.values() if one])} operations answered")
    assert not breaks, "\n\n".join(breaks[:20])
    assert met.total() >= FLOWS * 2
    assert led(), "nothing led anywhere"
