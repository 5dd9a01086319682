# SPDX-License-Identifier: Apache-2.0
"""This is where settings are read, once, into one frozen object that remembers where each came from.

Environment `EVIDOCK_*` over a TOML file (`EVIDOCK_CONFIG`, else `evidock.toml` in the home) over defaults.
"""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.reserve import Reserve
from app.setting_table import SETTINGS as SETTINGS
from evidence.errors import BadInput
from pipeline.media.sandbox.probe import Policy

T = TypeVar("T")

_PASSWORD = re.compile(r"(//[^/@:\s]*:)\S+@")
_IN_QUERY = re.compile(r"(?i)([?&;][^=&\s]*(?:pass|secret|token|key)[^=&\s]*=)[^&\s]+")


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one process; `origins` tells where each came from."""

    home: Path
    register_url: str
    objects_url: str
    cold_url: str
    broker_url: str
    keys: Path
    envelope: bool
    tsa_urls: tuple[str, ...]
    agency: str
    zone: ZoneInfo
    catalog: Path | None
    keeping: Path | None
    default_item: str | None
    case_feed_url: str
    case_feed_token_file: Path | None
    ffmpeg: str | None
    sandbox: Policy
    quiet_s: float
    lease_s: float
    workers: int
    dock: str
    serve: tuple[str, int]
    tls_cert: Path | None
    tls_key: Path | None
    public_url: str
    oidc_issuer: str
    oidc_client_id: str
    oidc_secret_file: Path | None
    second_factor: bool
    trusted_proxies: tuple[str, ...]
    outbound_allow: tuple[str, ...]
    watermark: bool
    server: str
    server_pin: str
    key_file: Path | None
    dock_ports: Path
    dock_priority: frozenset[str]
    dock_backup: Path | None
    dock_writable: Path | None
    operate: tuple[str, int] | None
    log: str
    spool_free: Reserve
    backlog: int
    origins: Mapping[str, tuple[str, str]]


def load_settings(environment: Mapping[str, str] | None = None, *, home: Path | None = None) -> Settings:
    """Read the settings; `home` (from the command line) beats `EVIDOCK_HOME`.

    Raises:
        BadInput: a setting cannot be used; the message names it and where it came from.
    """
    environment = os.environ if environment is None else environment
    told = _told(environment, home)
    values = {name: value for name, (value, _) in told.items()}
    root = Path(values["home"]).expanduser().absolute()
    register_url = _or(values["register_url"], SETTINGS["register_url"].default, f"sqlite:///{root}/register.db")
    return Settings(
        home=root,
        register_url=register_url,
        objects_url=_or(values["objects_url"], SETTINGS["objects_url"].default, f"file://{root}/objects"),
        cold_url=values["cold_url"],
        broker_url=values["broker_url"],
        keys=Path(_or(values["keys"], SETTINGS["keys"].default, str(root / "keys"))),
        envelope=_read(told, "envelope", _switch),
        tsa_urls=tuple(values["tsa_urls"].split()),
        agency=values["agency"],
        zone=_read(told, "timezone", _zone),
        catalog=_path(values["catalog"]),
        keeping=_path(values["keeping"]),
        default_item=values["default_item"] or None,
        case_feed_url=values["case_feed_url"],
        case_feed_token_file=_path(values["case_feed_token_file"]),
        ffmpeg=values["ffmpeg"] or None,
        sandbox=_read(told, "sandbox", _policy),
        quiet_s=_read(told, "quiet_s", _positive),
        lease_s=_read(told, "lease_s", _positive),
        workers=_read(told, "workers", _count),
        dock=values["dock"],
        serve=_read(told, "serve", _listening),
        tls_cert=_path(values["tls_cert"]),
        tls_key=_path(values["tls_key"]),
        public_url=_read(told, "public_url", _public_url),
        oidc_issuer=values["oidc_issuer"],
        oidc_client_id=values["oidc_client_id"],
        oidc_secret_file=_path(values["oidc_secret_file"]),
        second_factor=_read(told, "second_factor", _switch),
        trusted_proxies=tuple(values["trusted_proxies"].split()),
        outbound_allow=tuple(values["outbound_allow"].split()),
        watermark=_read(told, "watermark", _switch),
        server=values["server"],
        server_pin=values["server_pin"],
        key_file=_path(values["key_file"]),
        dock_ports=Path(values["dock_ports"]),
        dock_priority=frozenset(values["dock_priority"].split()),
        dock_backup=_path(values["dock_backup"]),
        dock_writable=_path(values["dock_writable"]),
        operate=_read(told, "operate", _address),
        log=_read(told, "log", _log_format),
        spool_free=_read(told, "spool_free", Reserve.of_text),
        backlog=_read(told, "backlog", _many),
        origins=told,
    )


def without_password(value: str) -> str:
    """A setting as it may be shown: the passwords of URLs are left out, also those among their options."""
    return _IN_QUERY.sub(r"\1…", _PASSWORD.sub(r"\1…@", value))


def _told(environment: Mapping[str, str], home: Path | None) -> dict[str, tuple[str, str]]:
    """Text of each setting and where it came from."""
    given = str(home) if home is not None else environment.get("EVIDOCK_HOME")
    at_home = Path(given or SETTINGS["home"].default) / "evidock.toml"
    path = Path(environment.get("EVIDOCK_CONFIG") or at_home)
    file = _file(path, must_exist="EVIDOCK_CONFIG" in environment)
    told = {}
    for name, setting in SETTINGS.items():
        if name == "home" and home is not None:
            told[name] = (str(home), "--home")
        elif setting.variable in environment:
            told[name] = (environment[setting.variable], setting.variable)
        elif name in file:
            told[name] = (_as_text(file[name]), str(path))
        else:
            told[name] = (setting.default, "default")
    return told


def _file(path: Path, *, must_exist: bool) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            body = tomllib.load(file)
    except FileNotFoundError as error:
        if must_exist:
            raise BadInput(f"EVIDOCK_CONFIG names {path}, which is not there") from error
        return {}
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"the settings file {path} cannot be read: {error}") from error
    unknown = sorted(set(body) - set(SETTINGS))
    if unknown:
        raise BadInput(f"{path} has settings we do not know: {', '.join(unknown)} (known: {', '.join(SETTINGS)})")
    return body


def _as_text(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)


def _or(text: str, default: str, instead: str) -> str:
    return instead if text in ("", default) else text


def _read(told: Mapping[str, tuple[str, str]], name: str, parse: Callable[[str], T]) -> T:
    text, origin = told[name]
    try:
        return parse(text)
    except (ValueError, ZoneInfoNotFoundError) as error:
        raise BadInput(f"{SETTINGS[name].variable} (from {origin}) cannot be {text!r}: {error}") from error


def _zone(text: str) -> ZoneInfo:
    return ZoneInfo(text)


_POLICIES: Mapping[str, Policy] = {"required": "required", "off": "off"}


def _policy(text: str) -> Policy:
    if text not in _POLICIES:
        raise ValueError("it must be `required` or `off`")
    return _POLICIES[text]


def _switch(text: str) -> bool:
    if text not in ("on", "off"):
        raise ValueError("it must be `on` or `off`")
    return text == "on"


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise ValueError("it must be more than nothing")
    return value


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 256:
        raise ValueError("it must be from 1 to 256")
    return value


def _many(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 10**9:
        raise ValueError("it must be from 1 to 1000000000")
    return value


def _log_format(text: str) -> str:
    if text not in ("auto", "json", "plain"):
        raise ValueError("it must be auto, json or plain")
    return text


def _path(text: str) -> Path | None:
    return Path(text) if text else None


def _public_url(text: str) -> str:
    parts = urlsplit(text)
    is_bare = parts.path in ("", "/") and not parts.query and not parts.fragment and parts.username is None
    is_local = parts.hostname in ("localhost", "127.0.0.1")
    if text and not (is_bare and parts.hostname and (parts.scheme == "https" or (parts.scheme == "http" and is_local))):
        raise ValueError("write https://HOST or https://HOST:PORT")
    return text.rstrip("/")


def _listening(text: str) -> tuple[str, int]:
    address = _address(text)
    if address is None:
        raise ValueError("write HOST:PORT, such as 127.0.0.1:9443")
    return address


def _address(text: str) -> tuple[str, int] | None:
    if not text:
        return None
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")  # as an IPv6 address is written before a port
    if not (colon and host and port.isdecimal() and int(port) < 1 << 16):
        raise ValueError("write HOST:PORT, such as 127.0.0.1:9300")
    return host, int(port)
