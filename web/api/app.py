# SPDX-License-Identifier: Apache-2.0
"""This is where the routes, each noun's in its own file, become one application."""

from collections.abc import Sequence

from fastapi import APIRouter, Depends, FastAPI

from web.access.desk import Desk
from web.api import (
    accesses,
    alarms,
    appraisals,
    approvals,
    case_papers,
    cases,
    catalogs,
    clips,
    coverage,
    credentials,
    devices,
    disposals,
    dockings,
    docks,
    enrolments,
    events,
    exports,
    grants,
    holds,
    jobs,
    keys,
    live,
    live_watch,
    log,
    me,
    media,
    members,
    offers,
    officers,
    oidc,
    openapi,
    problems,
    quarantine,
    recordings,
    retention,
    search,
    segments,
    session_routes,
    sign_in,
    sign_in_links,
    units,
    users,
    verify,
    ways,
    webhooks,
)
from web.api.addresses import PlainAddresses
from web.api.axis import routes as axis
from web.api.axis.clips import Objects
from web.api.bodies import SmallBodies
from web.api.context import Context
from web.clips.room import ClipRoom
from web.guard.headers import StrictHeaders
from web.guard.hosts import OwnHosts
from web.guard.sizes import ShortRequests
from web.guard.strangers import count_strangers
from web.live.room import WatchRoom
from web.media.room import MediaRoom
from web.pages import routes as console
from web.pages.site import shipped_site
from web.tus import uploads
from web.tus.door import TusDoor
from web.tus.intake import Intake

ROUTERS: Sequence[APIRouter] = (
    session_routes.router,
    uploads.router,
    live.router,
    live_watch.router,
    enrolments.router,
    offers.router,
    dockings.router,
    alarms.router,
    axis.router,
    accesses.router,
    members.router,
    sign_in.router,
    sign_in_links.router,
    ways.router,
    oidc.router,
    webhooks.router,
    me.router,
    credentials.router,
    users.router,
    keys.router,
    media.asking,
    media.fetching,
    approvals.router,
    grants.router,
    exports.router,
    recordings.router,
    segments.router,
    search.router,
    cases.router,
    case_papers.router,
    clips.router,
    log.router,
    verify.router,
    devices.router,
    devices.ledgers,
    officers.router,
    units.router,
    events.router,  # before docks: a wall is no dock's id
    docks.router,
    jobs.router,
    quarantine.router,
    holds.router,
    catalogs.router,
    coverage.router,
    retention.router,
    appraisals.router,
    disposals.router,
    console.router,  # last: it answers every address that nobody else does
)
"""Every router of the server; a new noun adds its own here."""


def create_app(context: Context, *, routers: Sequence[APIRouter] = ROUTERS) -> FastAPI:
    """The application that answers docks and terminals; it is told everything, and reads no clock of its own."""
    app = FastAPI(
        openapi_url=openapi.ADDRESS,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=openapi.operation_of,
        dependencies=[Depends(count_strangers)],
    )
    app.state.context = context
    app.state.site = shipped_site()
    app.state.desk = Desk(context.ports.register, now=context.now, monotonic=context.monotonic)
    app.state.intake = Intake(context)
    app.state.media = MediaRoom(context.ports)
    app.state.clips = ClipRoom(context.ports.received.with_name("clips"))
    limits = context.limits
    app.state.watchers = WatchRoom(per_person=limits.streams_per_person, most=limits.streams)
    app.state.axis = Objects(context, app.state.intake)
    for router in routers:
        app.include_router(router, responses=dict(problems.PROBLEMS), tags=list(openapi.tags_of(router.tags)))
    problems.install(app, context)
    openapi.install(app, routers)
    app.add_middleware(SmallBodies, limit=limits.body_bytes, streamed=uploads.PREFIX, silence_s=limits.silence_s)
    app.add_middleware(TusDoor, prefix=uploads.PREFIX)
    app.add_middleware(PlainAddresses)
    app.add_middleware(ShortRequests, limits=limits)
    means = context.sign_in
    app.add_middleware(OwnHosts, hosts=[means.host] if means.host else [])
    app.add_middleware(StrictHeaders, is_tls=means.public_url.startswith("https://"))
    return app
