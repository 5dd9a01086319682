# SPDX-License-Identifier: Apache-2.0
"""A service that says what a test wants it to say, and takes down what it was asked: S3 as a liar speaks it."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

WHEN = "2026-01-01T00:00:00.000Z"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: `what` is the first name of its query, such as `versions`; empty for a plain one."""

    method: str
    path: str
    query: Mapping[str, list[str]]

    @property
    def what(self) -> str:
        known = ("versioning", "versions", "uploads", "uploadId", "object-lock", "retention", "legal-hold", "list-type")
        return next((name for name in known if name in self.query), "")


@dataclass(frozen=True, slots=True)
class Lie:
    """One answer."""

    body: str = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Liar:
    """A running one; `endpoint` is its URL."""

    endpoint: str
    asked: list[Asked] = field(default_factory=list)

    def did(self, method: str) -> list[str]:
        """Paths of what was asked for by this method."""
        return [one.path for one in self.asked if one.method == method]


@contextmanager
def lying(say: Callable[[Asked], Lie]) -> Iterator[Liar]:
    """A service whose every answer `say` makes."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            asked = Asked(self.command, parts.path, parse_qs(parts.query, keep_blank_values=True))
            liar.asked.append(asked)
            lie = say(asked)
            body = b"" if self.command == "HEAD" else lie.body.encode()
            self.send_response(lie.status)
            for name, value in {"Content-Length": str(len(body)), "Connection": "close", **lie.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _any  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    liar = Liar(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield liar
    finally:
        server.shutdown()
        server.server_close()


def versioning(status: str | None = None) -> Lie:
    return Lie(f"<VersioningConfiguration>{f'<Status>{status}</Status>' if status else ''}</VersioningConfiguration>")


def listed(*names: str, more: str = "") -> Lie:
    """A page of objects."""
    entries = "".join(
        f'<Contents><Key>{name}</Key><Size>1</Size><ETag>"x"</ETag><LastModified>{WHEN}</LastModified></Contents>'
        for name in names
    )
    return Lie(f"<ListBucketResult>{_more('NextContinuationToken', more)}{entries}</ListBucketResult>")


def listed_versions(*found: tuple[str, str], more: str = "") -> Lie:
    """A page of versions, by name and id."""
    entries = "".join(
        f"<Version><Key>{name}</Key><VersionId>{version}</VersionId><IsLatest>true</IsLatest>"
        f'<Size>1</Size><ETag>"x"</ETag><LastModified>{WHEN}</LastModified></Version>'
        for name, version in found
    )
    return Lie(f"<ListVersionsResult>{_more('NextKeyMarker', more)}{entries}</ListVersionsResult>")


def listed_uploads(*found: tuple[str, str], more: str = "") -> Lie:
    """A page of uploads in parts, by name and id."""
    entries = "".join(
        f"<Upload><Key>{name}</Key><UploadId>{upload}</UploadId><Initiated>{WHEN}</Initiated></Upload>"
        for name, upload in found
    )
    return Lie(f"<ListMultipartUploadsResult>{_more('NextKeyMarker', more)}{entries}</ListMultipartUploadsResult>")


def _more(tag: str, value: str) -> str:
    if not value:
        return "<IsTruncated>false</IsTruncated>"
    return f"<IsTruncated>true</IsTruncated><{tag}>{value}</{tag}>"


def error(code: str, status: int, **headers: str) -> Lie:
    return Lie(f"<Error><Code>{code}</Code><Message>no</Message></Error>", status, headers)
