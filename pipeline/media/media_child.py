# SPDX-License-Identifier: Apache-2.0
"""This is where work on hostile media is handed to a process of its own, and its answer taken with care.

A child is a module of this package run by name, behind the walls of the sandbox, in a new folder, the only one it can
write to; it answers in a file there, with one canonical JSON object or with an error of ours by its code. Whatever
else it does (crash, hang, babble) is an error of ours too.
"""

import contextlib
import errno
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evidence import canonical_json, errors
from evidence.errors import EvidockError, StoreUnavailable, Unacceptable, Undecodable
from pipeline.media.limits import Completed, Limits, run_limited
from pipeline.media.made import is_plain
from pipeline.media.sandbox.command import interpreter

_ROOT = Path(__file__).parents[2]
_ANSWER_MAX_BYTES = 32 << 20
# A disk that fails says nothing of the media.
_OF_THE_DISK = frozenset({errno.EIO, errno.ENOSPC, errno.EDQUOT})
_LONGEST_WORDS = 300
_MIB = 1 << 20
# What a child may refuse with. Anything else it says about itself is not believed.
_REFUSALS: dict[str, type[EvidockError]] = {
    error.code: error
    for error in (
        errors.NotMedia,
        errors.IndexMissing,
        errors.Truncated,
        errors.CodecRefused,
        errors.Undecodable,
        errors.SourceUnavailable,
    )
}


def limits_for(size_bytes: int) -> Limits:
    """Limits for one pass over a file of this size: at the slowest, 8 MB/s."""
    seconds = 60 + size_bytes // 8_000_000
    return Limits(
        wall_s=float(seconds),
        cpu_s=seconds,
        address_space_bytes=4096 * _MIB,
        output_bytes=256 * _MIB + 4 * size_bytes,
    )


def ask(
    module: str,
    arguments: Sequence[str],
    *,
    reads: Path,
    folder: Path,
    limits: Limits,
    keeps: Mapping[str, Path] | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """What `python -m module arguments… ANSWER_FILE` answers, run in a folder of its own beneath `folder`.

    `reads` is the one file it may read. Files that it leaves in its folder by the names in `keeps` go where those say.

    Raises:
        Undecodable: it crashed, reached a limit, or gave no sensible answer.
        Unacceptable: it refused the file, with the error it named.
        StoreUnavailable: the disk under `folder` is full. Worth another try.
        SandboxMissing, ToolMissing, Unavailable: it could not be run.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=".ask-") as name:
        scratch = Path(name).absolute()
        done = run_limited(
            [sys.executable, "-P", "-B", "-m", module, *arguments, "answer.json"],
            limits=limits,
            cwd=scratch,
            reads=(reads, *interpreter()),
            writes=(scratch,),
            env={"PYTHONPATH": str(_code_in(scratch)), "OPENBLAS_NUM_THREADS": "1"},
            on_line=_progress_reader(on_progress),
        )
        _raise_if_failed(done)
        found = _checked(scratch / "answer.json")
        for left, target in (keeps or {}).items():
            _keep(scratch / left, target)
        return found


def _code_in(scratch: Path) -> Path:
    """A folder with our packages and nothing else: beside the real ones, recordings may lie."""
    code = scratch / "code"
    code.mkdir()
    for package in ("evidence", "pipeline"):
        (code / package).symlink_to(_ROOT / package)
    return code


def _raise_if_failed(done: Completed) -> None:
    if done.returncode == 0:
        return
    if os.strerror(errno.ENOSPC) in done.stderr or os.strerror(errno.EDQUOT) in done.stderr:
        raise errors.StoreUnavailable("no space left to examine it")
    raise Undecodable(
        f"reading it ended with status {done.returncode}: {done.stderr[-400:].strip()}", status=done.returncode
    )


def _keep(left: Path, target: Path) -> None:
    if is_plain(left):
        left.replace(target)


def answer_with(work: Callable[[], dict[str, object]], answer: Path) -> None:
    """In the child: write what `work` gives, or the error of ours that it raises, to `answer`."""
    # A crash must not leave a core file of somebody's footage; warnings of libav are not our words.
    os.environ.pop("AV_LOG_FORCE_COLOR", None)
    try:
        content = {"found": work()}
    except Unacceptable as error:
        values = {key: value for key, value in error.values.items() if isinstance(value, (int, str))}
        content = {"refused": {"code": error.code, "message": error.message, "values": values}}
    answer.write_bytes(canonical_json.dumps(content))


def tell_progress(fraction: float) -> None:
    """In the child: say how far the work is."""
    sys.stdout.write(f"{fraction:.4f}\n")
    sys.stdout.flush()


def _progress_reader(on_progress: Callable[[float], None] | None) -> Callable[[str], None]:
    def take(line: str) -> None:
        with contextlib.suppress(ValueError):
            fraction = float(line)
            if on_progress is not None and 0 <= fraction <= 1:
                on_progress(fraction)

    return take


def _checked(answer: Path) -> dict[str, Any]:
    try:
        if not is_plain(answer) or answer.stat().st_size > _ANSWER_MAX_BYTES:
            raise Undecodable(f"no answer, or one of more than {_ANSWER_MAX_BYTES} bytes")
        content: Any = canonical_json.loads(answer.read_bytes())
        if "found" in content:
            return dict(content["found"])
        refused = content["refused"]
        raise _REFUSALS[refused["code"]](str(refused["message"])[:_LONGEST_WORDS], **refused["values"])
    except (OSError, errors.RecordMalformed, KeyError, TypeError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
            raise StoreUnavailable(f"the answer cannot be read: {error.strerror}", errno=error.errno) from error
        raise Undecodable(f"reading it gave no answer: {error!r}") from error
