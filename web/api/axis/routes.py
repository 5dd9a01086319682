# SPDX-License-Identifier: Apache-2.0
"""This is where the requests of a body worn system of Axis are answered: containers, objects, what we can do.

Source: Axis body worn integration API 1.6.10, "API endpoints" and "Capability API".
"""

import hashlib
import json

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from evidence.errors import BadInput, DeviceRefused, NotFound
from pipeline.axis_account import Thing
from pipeline.axis_recording import DEVICES, SYSTEM, USERS
from storage.register.answers import Row
from web.api.axis import headers
from web.api.axis.clips import Objects, Put
from web.api.axis.door import AUTH, STORAGE, AxisDock, AxisRoute, Kept, sign_in

CAPABILITIES = "Capabilities.json"
_TOLD = (USERS, DEVICES, SYSTEM)
# Once declared, always kept: what is named here may never be taken back.
_CAPABLE = {
    "Read": {"ReadCategories": False},
    "Store": {
        "StoreBookmarks": True,
        "StoreGNSSTrackRecording": True,
        "StoreRejectedContent": True,
        "StoreSignedVideo": True,
        "StoreUserIDKey": True,
    },
    "StoreAndRead": {"StoreReadSystemID": True},
}

router = APIRouter(route_class=AxisRoute)
router.add_api_route(AUTH, sign_in, methods=["GET"])


@router.put(f"{STORAGE}{{rest:path}}")
async def put(request: Request, dock: AxisDock, kept: Kept) -> Response:
    """Make a container, or take an object in: then it lasts."""
    _, container, name = headers.place(request, prefix=STORAGE)
    if not container:
        raise DeviceRefused("accounts are made elsewhere")
    if not name:
        said = _put(request, dock, container, "", "container")
        is_new = await run_in_threadpool(kept.say_of_container, said, may_make=True)
        return Response(status_code=201 if is_new else 202)
    headers.check_plain(request)
    coming = _put(request, dock, container, name, "object")
    if container in _TOLD:
        if (container, name) == (SYSTEM, CAPABILITIES):
            raise DeviceRefused("what this server can do is for it to say")
        await run_in_threadpool(_make_told, kept, coming)
        thing = await kept.take_told(coming, request)
    else:
        thing = await kept.take(coming, request)
    return Response(status_code=201, headers={"ETag": thing.md5})


@router.post(f"{STORAGE}{{rest:path}}")
def post(request: Request, dock: AxisDock, kept: Kept) -> Response:
    """Say something of a container or an object."""
    _, container, name = headers.place(request, prefix=STORAGE)
    if not container:
        raise DeviceRefused("nothing is said of accounts here")
    if not name:
        kept.say_of_container(_put(request, dock, container, "", "container"), may_make=False)
        return Response(status_code=204)
    kept.say(_put(request, dock, container, name, "object"))
    return Response(status_code=202)


@router.head(f"{STORAGE}{{rest:path}}")
def look(request: Request, dock: AxisDock, kept: Kept) -> Response:
    """What was said of a container or an object."""
    _, container, name = headers.place(request, prefix=STORAGE)
    if not container:
        return Response(status_code=204)
    if (container, name) == (SYSTEM, CAPABILITIES):
        return capabilities()
    account = kept.account(dock)
    said = account.metadata(container)
    if said is None:
        raise NotFound("no such container")
    if not name:
        return Response(status_code=204, headers=headers.told(said, "container"))
    thing = account.thing(container, name)
    if thing is None:
        raise NotFound("no such object")
    return Response(status_code=200, headers=_of(thing) | {"Content-Length": str(thing.size_bytes)})


@router.get(f"{STORAGE}{{rest:path}}")
def get(request: Request, dock: AxisDock, kept: Kept) -> Response:
    """What this server can do, or what a system told of itself. Footage is not given back here."""
    _, container, name = headers.place(request, prefix=STORAGE)
    if (container, name) == (SYSTEM, CAPABILITIES):
        return capabilities()
    if container != SYSTEM or not name:
        raise DeviceRefused("what was stored is not given back here")
    thing = kept.account(dock).thing(container, name)
    if thing is None:
        raise NotFound("no such object")
    data = kept.account(dock).data(container, thing.sha256)
    return Response(data, media_type="application/octet-stream", headers=_of(thing))


def capabilities() -> Response:
    """What this server can do; its ETag is checked by who asks."""
    data = json.dumps(_CAPABLE, indent=1).encode()
    etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return Response(data, media_type="application/json", headers={"ETag": etag})


def _make_told(kept: Objects, coming: Put) -> None:
    """The containers of users, devices and systems are there, whoever asks first."""
    if kept.account(coming.dock).metadata(coming.container) is None:
        kept.say_of_container(Put(coming.dock, coming.container, "", {}, None, None), may_make=True)


def _put(request: Request, dock: Row, container: str, name: str, kind: str) -> Put:
    asked = request.headers
    if name.endswith("/"):
        raise BadInput("a name ends with a letter or a digit")
    said = headers.metadata(asked, kind)
    return Put(dock, container, name, said, headers.etag(asked), headers.length(asked))


def _of(thing: Thing) -> dict[str, str]:
    return {"ETag": thing.md5, **headers.told(thing.metadata, "object")}
