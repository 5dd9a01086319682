# SPDX-License-Identifier: Apache-2.0
"""This is where errors become answers: `application/problem+json` (RFC 9457) with our stable `code`.

What a client did is told in words. What is wrong on our side is told to the notes, and the client learns the code.
"""

import errno
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from evidence.errors import (
    BadInput,
    ChangedMeanwhile,
    ChecksumMismatch,
    DeviceRefused,
    DiskLow,
    EvidockError,
    InUse,
    NotAllowed,
    NotFound,
    NotSignedIn,
    Overloaded,
    ProveAgain,
    Refused,
    SecondFactorNeeded,
    TooLarge,
    TooManyTries,
    Unacceptable,
    Unavailable,
)
from web.api.context import Context
from web.api.languages import ENGLISH, language_of

MEDIA_TYPE = "application/problem+json"
CHECKSUM_MISMATCH = 460  # tus 1.0, checksum extension
_PHRASES = {CHECKSUM_MISMATCH: "Checksum Mismatch"}

# The first that fits counts.
_STATUS: tuple[tuple[type[EvidockError], int], ...] = (
    (NotFound, 404),
    (ChecksumMismatch, CHECKSUM_MISMATCH),
    (TooLarge, 413),
    (BadInput, 400),
    (Unacceptable, 422),
    (NotSignedIn, 401),
    (DeviceRefused, 403),
    (ProveAgain, 403),
    (SecondFactorNeeded, 403),
    (NotAllowed, 403),
    (ChangedMeanwhile, 412),
    (InUse, 423),
    (Refused, 409),
    (DiskLow, 429),
    (TooManyTries, 429),
    (Overloaded, 429),
    (Unavailable, 503),
)
# What the framework itself refuses.
_CODES = {400: BadInput.code, 404: NotFound.code, 413: TooLarge.code}
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_INTERNAL = 500
_DOCUMENTED = (400, 401, 403, 404, 405, 408, 409, 412, 413, 414, 415, 422, 423, 429, 431, 500, 503, 507)

PROBLEMS: Mapping[int | str, dict[str, Any]] = {
    status: {
        "description": HTTPStatus(status).phrase,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status in _DOCUMENTED
}
"""What any route may answer instead of what it is asked for; `create_app` declares it of every route."""

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "What went wrong (RFC 9457). `code` is stable; docs/errors.md lists all of them.",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "examples": ["about:blank", "urn:evidock:error:not-found"]},
        "title": {"type": "string", "description": "In the language of Accept-Language."},
        "status": {"type": "integer"},
        "code": {"type": "string", "examples": ["not-found"]},
        "detail": {"type": "string"},
        "values": {"type": "object", "description": "What was met, by name."},
    },
}
"""A problem, for the API's description."""


def status_of(error: EvidockError) -> int:
    """The HTTP status that an error of ours is answered with."""
    if error.values.get("errno") in _NO_ROOM:
        return 507
    return next((status for kind, status in _STATUS if isinstance(error, kind)), _INTERNAL)


def problem(status: int, code: str, detail: str, **more: Any) -> Response:
    """A problem as an answer. Letters that are no text, as of a broken name, are written as questions."""
    body = {"type": "about:blank", "title": _phrase(status), "status": status, "code": code, "detail": detail, **more}
    told = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    return Response(told, status, media_type=MEDIA_TYPE)


def answer_to(error: EvidockError, context: Context, *, language: str = ENGLISH) -> Response:
    """What a client is told of an error of ours, its title in `language`; what is wrong here is noted."""
    status = status_of(error)
    is_ours = status in (_INTERNAL, 503, 507)
    if is_ours:
        context.note("request-failed", f"a request failed: {error.message} ({error.code})", code=error.code)
    detail = "the server cannot do this now; what it acknowledged is kept" if is_ours else error.message
    values = {} if is_ours else {name: value for name, value in error.values.items() if _is_plain(value)}
    titled = _titled(error.code, context, language)
    answer = problem(status, error.code, detail, **titled, **({"values": values} if values else {}))
    if status in (429, 503, 507):
        answer.headers["Retry-After"] = str(error.values.get("retry_s", context.limits.retry_s))
    if status == HTTPStatus.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def install(app: FastAPI, context: Context) -> None:
    """Have every error of a route answered as a problem."""

    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, EvidockError)  # noqa: S101 - registered for it
        return answer_to(error, context, language=language_of(request.headers.get("accept-language")))

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it
        first = error.errors()[0]
        where = ".".join(str(one) for one in first["loc"])
        titled = _titled(BadInput.code, context, language_of(request.headers.get("accept-language")))
        return problem(400, BadInput.code, f"{where}: {first['msg']}"[:500], **titled)

    async def http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
        code = _CODES.get(error.status_code, f"http-{error.status_code}")
        answer = problem(error.status_code, code, _phrase(error.status_code))
        answer.headers.update(error.headers or {})
        return answer

    async def unknown(_: Request, error: Exception) -> Response:
        # The framework hands the error on to the log of the process, with where it came from.
        context.note("request-failed", f"a request met a defect: {type(error).__name__}", code="defect")
        return problem(500, "defect", "the server met a defect; what it acknowledged is kept")

    app.add_exception_handler(Exception, unknown)
    app.add_exception_handler(EvidockError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)


def _titled(code: str, context: Context, language: str) -> dict[str, str]:
    """The title that people are told, where there are words for this code."""
    title = context.words(language, "error", code)
    return {} if title == code else {"type": f"urn:evidock:error:{code}", "title": title}


def _phrase(status: int) -> str:
    return _PHRASES.get(status) or HTTPStatus(status).phrase


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(isinstance(one, str | int) for one in value)
    return value is None or isinstance(value, str | int)
