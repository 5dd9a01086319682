# SPDX-License-Identifier: Apache-2.0
"""This is where a route says which act it is, and a request is let in or refused for it.

Every route has one `Acting`, or stands in `public` with its reason; a test reads all routes and fails when one has not.
"""

from dataclasses import dataclass, replace

from fastapi import Request
from fastapi.params import Depends

from evidence.access import ACTS, Act, Reach, Role, reach_of
from evidence.errors import NotAllowed, Refused
from web.access import audited as audited
from web.access.asker import Asker as Asker
from web.access.desk import Desk
from web.access.same_site import check_same_site
from web.api.context import Context, Here
from web.guard.strangers import address_of
from web.signin.who import SignedIn, check_factors, check_proved, signed_in


@dataclass(frozen=True, slots=True)
class Door:
    """Lets in whoever may do one act, of this name."""

    name: str

    @property
    def act(self) -> Act:
        """The act, as it is declared."""
        return ACTS[self.name]

    def __call__(self, request: Request, here: Here) -> Asker:
        """Who asks, as what the route may work with.

        Raises:
            NotSignedIn: nobody is known. NotAllowed: the act is not theirs, or another site asked.
            SecondFactorNeeded: their roles want one. ProveAgain: they must prove themselves anew.
            Overloaded: they ask too often. RegisterUnavailable: worth another try.
        """
        desk = desk_of(request)
        asking = self._signed_in(request, here, desk)
        known = asking.known
        asker = Asker(
            known,
            self.act,
            reach_of(known.actor, self.name),
            here,
            replace(here.ports, actor=known.actor.id),
            desk,
            here.now(),
        )
        request.state.asker = asker  # what is refused from here on is told of this person
        asker.names(self.noun, request.path_params.values())
        if known.by_cookie:
            check_same_site(request)
        if asker.reach is Reach.NONE:
            raise NotAllowed(f"{self.name} is not among the things you may do", act=self.name)
        if self.act.is_sensitive:
            check_factors(asking, here)
            check_proved(asking, here)
        return asker

    def _signed_in(self, request: Request, here: Context, desk: Desk) -> SignedIn:
        try:
            found = signed_in(request, here)
            if Role.DOCK in found.actor.roles:
                raise NotAllowed("docks speak their own protocol alone")
        except Refused as error:
            host = address_of(request)
            desk.refused_unknown(self.name, error.code, noun=self.noun, address=host)
            here.rates.strangers.count(host, at=here.monotonic())
            raise
        if found.session is not None:  # programs are counted where their keys are known
            here.rates.people.count(found.actor.id, at=here.monotonic())
        return found

    @property
    def noun(self) -> str:
        """What the act is done to."""
        return self.name.partition(".")[0]


class Acting(Depends):
    """Declares the act of a route: `asker: Annotated[Asker, Acting("recording.read")]`."""

    def __init__(self, act: str) -> None:
        super().__init__(Door(ACTS[act].name))


def desk_of(request: Request) -> Desk:
    """The desk of the server that a request came to."""
    desk = request.app.state.desk
    assert isinstance(desk, Desk)  # noqa: S101 - create_app put it there
    return desk
