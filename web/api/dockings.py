# SPDX-License-Identifier: Apache-2.0
"""This is where a dock tells of devices plugged in, sends their manifests, asks for leave to clear them, and ends."""

from pathlib import Path
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Request, Response
from pydantic import AwareDatetime, BaseModel, Field, StringConstraints
from starlette.concurrency import run_in_threadpool

from evidence.errors import BadInput, TooLarge
from pipeline import dockings
from pipeline.dock_figures import dock_figures
from pipeline.docking_manifest import keep_manifest
from pipeline.docking_told import Clock, Docking, Listing
from pipeline.erasure import allow_erasure
from pipeline.scratch import scratch
from storage.durable import store_errors, write_all
from web.api.context import Context, Here
from web.api.signed_in import Dock
from web.tus.stream import Body

router = APIRouter(prefix="/v1/dockings")

Short = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Hex = Annotated[str, StringConstraints(min_length=64, max_length=64)]
Count = Annotated[int, Field(ge=0, strict=True)]
Milliseconds = Annotated[int, Field(strict=True)]


class ClockTold(BaseModel):
    """A device's clock beside the dock's."""

    at: AwareDatetime
    offset_ms: Milliseconds
    uncertainty_ms: Count
    after_ms: Milliseconds | None = None


class ListingTold(BaseModel):
    """What the manifest amounts to."""

    sha256: Hex
    names: Count
    taken: Count
    taken_bytes: Count


class DockingTold(BaseModel):
    """A device was plugged in."""

    docking: Short
    port: Short
    device: Short | None
    began_at: AwareDatetime
    clock: ClockTold | None = None
    problem: Short | None = None
    manifest: ListingTold

    def value(self) -> Docking:
        """As the steps take it."""
        clock = self.clock
        return Docking(
            id=self.docking,
            port=self.port,
            device=self.device,
            began_at=self.began_at,
            listing=Listing(**self.manifest.model_dump()),
            clock=None if clock is None else Clock(**clock.model_dump()),
            problem=self.problem,
        )


class ErasureFile(BaseModel):
    """A file that is to be cleared, and the SHA-256 that the dock read."""

    offer: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    sha256: Hex


class ErasureAsked(BaseModel):
    """All files that the manifest took; with `first` those from this number on, a part."""

    first: Count | None = None
    files: Annotated[list[ErasureFile], Field(max_length=dock_figures().dockings.largest_listing)]

    def value(self) -> dict[str, str]:
        """The digest of each offer."""
        told = {one.offer: one.sha256 for one in self.files}
        if any(told[one.offer] != one.sha256 for one in self.files):
            raise BadInput("one file is named with two digests")
        return told


class EndTold(BaseModel):
    """What became of a docking."""

    outcome: Short
    received: Count
    erased: Count
    why: Annotated[str, StringConstraints(max_length=20_000)] = ""


@router.post("")
def begin(told: DockingTold, dock: Dock, here: Here) -> dict[str, Any]:
    """Whether the device is taken, and if not, why."""
    answer = dockings.begin(told.value(), dock=dock["id"], ports=here.ports, now=here.now())
    refusal = answer.refusal
    if refusal is not None:
        here.note("docking-refused", f"dock {dock['name']}: {refusal.text}", dock=dock["id"], code=refusal.code)
    return {
        "is_taken": answer.is_taken,
        "refusal": None if refusal is None else {"code": refusal.code, "text": refusal.text},
        "erases": answer.erases,
        "is_priority": answer.is_priority,
    }


@router.put("/{docking}/manifest", status_code=204, response_class=Response)
async def put_manifest(docking: str, request: Request, dock: Dock, here: Here) -> None:
    """Nothing: the manifest is kept."""
    with scratch(here.ports.spool) as folder:
        path = folder / "manifest"
        await _received(request, path, here)
        await run_in_threadpool(keep_manifest, docking, path, dock=dock["id"], ports=here.ports)


@router.post("/{docking}/erasure")
def ask_erasure(docking: str, asked: ErasureAsked, dock: Dock, here: Here) -> dict[str, bool]:
    """Leave to clear the device."""
    allow_erasure(docking, asked.value(), dock=dock["id"], ports=here.ports, now=here.now(), first=asked.first)
    return {"is_allowed": True}


@router.post("/{docking}/end", status_code=204, response_class=Response)
def end(docking: str, told: EndTold, dock: Dock, here: Here) -> None:
    """Nothing: it is on record."""
    dockings.end(docking, **told.model_dump(), dock=dock["id"], ports=here.ports, now=here.now())


async def _received(request: Request, path: Path, here: Context) -> None:
    """Write the body of a request to a file, block by block, off the event loop.

    Raises:
        TooLarge, BadInput: it is longer than any manifest, or broke off. DiskLow, Overloaded, StoreUnavailable.
    """
    limit, came = dock_figures().dockings.largest_manifest, 0
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise TooLarge(f"a manifest has at most {limit} bytes")
    body = Body(request, silence_s=here.limits.silence_s)
    with path.open("wb") as file:
        while block := await body.block():
            came += len(block)
            if came > limit:
                raise TooLarge(f"a manifest has at most {limit} bytes")
            await run_in_threadpool(_write, file, block, here)
    if body.is_broken:
        raise BadInput("the manifest broke off")


def _write(file: BinaryIO, data: bytearray, here: Context) -> None:
    here.admit(len(data))
    with store_errors("a manifest cannot be received"):
        write_all(file.fileno(), data)
