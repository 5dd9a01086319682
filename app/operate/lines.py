# SPDX-License-Identifier: Apache-2.0
"""This is where lines of a log are written: one a happening, JSON for machines or plain for people.

A value cannot begin a line of its own, whatever it holds, and the secrets we know are cut out of it. JSON
lines go to places where many may read them, so they hold ids and codes, and no name of a person or a file;
a plain line holds the sentence that a person at the terminal gets.
"""

import json
import logging
import re
import traceback
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TextIO
from urllib.parse import unquote

import structlog

from app import clocks
from app.plain import on_one_line
from app.settings import Settings
from evidence import instant

Value = str | int | float | bool | None

_CUT = "[cut]"
_SHORTEST_SECRET = 4
_SECRET_NAMES = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN")
_USERINFO = re.compile(r"://[^\s@]*@")  # a password may hold a slash
_FRAMES = 3


class Notes(Protocol):
    """What a process has to say while it runs. Threads may share it."""

    def tell(self, sentence: str) -> None:
        """Say a sentence that names no person and no file."""
        ...

    def note(self, event: str, sentence: str, **ids: Value) -> None:
        """Say what happened: as a sentence to a person, as `event` with its ids to a machine."""
        ...

    def step(self, event: str, ids: Mapping[str, Value], *, is_bad: bool = False) -> None:
        """Say how far a step of a recording is."""
        ...


class Spoken:
    """Notes of which only the sentences are wanted."""

    def __init__(self, tell: Any) -> None:
        self.tell = tell

    def note(self, event: str, sentence: str, **ids: Value) -> None:
        """Say the sentence."""
        self.tell(sentence)

    def step(self, event: str, ids: Mapping[str, Value], *, is_bad: bool = False) -> None:
        """Nothing: there is no sentence."""


class Lines:
    """Notes as lines of a stream."""

    def __init__(self, out: TextIO, *, as_json: bool, secrets: Iterable[str] = ()) -> None:
        self._secrets = sorted((one for one in secrets if len(one) >= _SHORTEST_SECRET), key=len, reverse=True)
        self._as_json = as_json
        self._log = structlog.wrap_logger(
            structlog.WriteLogger(out),
            processors=[_add_moment, self._clean, _as_json if as_json else _as_words],
            wrapper_class=structlog.BoundLogger,
            context_class=dict,
        )

    def tell(self, sentence: str) -> None:
        """Say a sentence that names no person and no file."""
        self._log.info("notice", words=sentence)

    def note(self, event: str, sentence: str, **ids: Value) -> None:
        """Say what happened; the sentence is for people, who may read names."""
        if self._as_json:
            self._log.info(event, **ids)
        else:
            self._log.info(event, words=sentence)

    def step(self, event: str, ids: Mapping[str, Value], *, is_bad: bool = False) -> None:
        """Say how far a step of a recording is."""
        (self._log.warning if is_bad else self._log.info)(event, **ids)

    @contextmanager
    def heard(self) -> Iterator[None]:
        """While the block runs, warnings and errors of libraries become lines of this log too."""
        handler = _Libraries(self._log)
        logging.getLogger().addHandler(handler)
        try:
            yield
        finally:
            logging.getLogger().removeHandler(handler)

    def _clean(self, _: object, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {name: self._cleaned(value) for name, value in line.items()}

    def _cleaned(self, value: object) -> Value:
        if value is None or isinstance(value, bool | int | float):
            return value
        text = str(value)
        for secret in self._secrets:
            text = text.replace(secret, _CUT)
        return on_one_line(_USERINFO.sub(f"://{_CUT}@", text))


class _Libraries(logging.Handler):
    """What libraries say: their words without values, for those may hold anything; where an error came from."""

    def __init__(self, log: Any) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        told: dict[str, Value] = {"library": record.name, "words": str(record.msg)}
        if error is not None:
            told |= {"error": type(error).__name__, "where": _where(error)}
        self._log.warning("library", **told)


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return " < ".join(f"{Path(one.filename).name}:{one.lineno}" for one in reversed(frames))


def open_lines(settings: Settings, out: TextIO, *, environment: Mapping[str, str]) -> Lines:
    """The log that the settings ask for: `auto` is plain on a terminal, and JSON elsewhere."""
    as_json = settings.log == "json" or (settings.log == "auto" and not out.isatty())
    return Lines(out, as_json=as_json, secrets=secrets_of(settings, environment))


def secrets_of(settings: Settings, environment: Mapping[str, str]) -> set[str]:
    """Every secret that the settings and the environment hold: none of them is ever printed."""
    found = {value for name, value in environment.items() if _SECRET_NAMES.search(name.upper())}
    for url in (settings.register_url, settings.objects_url, settings.broker_url, *settings.tsa_urls):
        # By hand: what parses addresses gives up on the very passwords that were not escaped.
        password = url.partition("://")[2].rpartition("@")[0].partition(":")[2]
        if password:
            found |= {password, unquote(password)}
    return found


def _add_moment(_: object, method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    first = {"at": instant.to_text(clocks.now()), "level": method, "event": line.pop("event")}
    return first | dict(line)


def _as_json(_: object, __: str, line: MutableMapping[str, Any]) -> str:
    return json.dumps(line)


def _as_words(_: object, __: str, line: MutableMapping[str, Any]) -> str:
    """The sentence where there is one; else the event with its values."""
    if line.get("words") and line["event"] != "library":
        return str(line["words"])
    told = [f"{name}={value}" for name, value in line.items() if name not in ("at", "level", "event")]
    return " ".join([str(line["event"]), *told])
