# SPDX-License-Identifier: Apache-2.0
"""This is where requests are counted by whence they come, at the doors that ask nobody who they are.

Whoever is known is counted by who they are, so that nobody is shut out by a neighbour behind the same address.
"""

from fastapi import Request

from web.access.public import PUBLIC
from web.api.context import Here
from web.api.rates import neighbours

# These ask for a session or a key themselves, and a player asks for a segment every few seconds; or they are files
# of the console, which lie in memory and come a dozen at a time.
_UNCOUNTED = ("/v1/media/", "/{address:page}")


async def count_strangers(request: Request, here: Here) -> None:
    """Count a request that a public route answers; a dependency of every route.

    Raises:
        Overloaded: too many came from there.
    """
    path = getattr(request.scope.get("route"), "path", "")
    if f"{request.method} {path}" in PUBLIC and not path.startswith(_UNCOUNTED):
        here.rates.strangers.count(address_of(request), at=here.monotonic())


def address_of(request: Request) -> str:
    """Whence a request comes, as neighbours are counted."""
    return neighbours("unknown" if request.client is None else request.client.host)
