# SPDX-License-Identifier: Apache-2.0
"""This is where every setting is named, with what it is for and what it is when nobody says."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its name in the environment, what it is for, and its default as text."""

    variable: str
    meaning: str
    default: str


SETTINGS: Mapping[str, Setting] = {
    "home": Setting("EVIDOCK_HOME", "folder of everything this installation owns", "./var"),
    "register_url": Setting(
        "EVIDOCK_REGISTER_URL",
        "register: sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE",
        "sqlite in the home",
    ),
    "objects_url": Setting(
        "EVIDOCK_OBJECTS_URL",
        "object store: file:///PATH or s3://BUCKET/PREFIX?endpoint=…&region=…&lock=…",
        "folder in the home",
    ),
    "cold_url": Setting(
        "EVIDOCK_COLD_URL",
        "archive, a second store: file:///PATH or s3://BUCKET/PREFIX?endpoint=…&lock=…&class=…; empty: none",
        "",
    ),
    "broker_url": Setting(
        "EVIDOCK_BROKER_URL", "broker: embedded: (a private Valkey) or redis://HOST:PORT", "embedded:"
    ),
    "keys": Setting(
        "EVIDOCK_KEYS", "folder of the agency's signing keys, the same on every machine", "keys in the home"
    ),
    "envelope": Setting(
        "EVIDOCK_ENVELOPE", "`on`: new footage rests encrypted, each recording under a key of its own; or `off`", "off"
    ),
    "tsa_urls": Setting(
        "EVIDOCK_TSA_URLS", "RFC 3161 authorities, separated by spaces; none: a local one, trust `self`", ""
    ),
    "agency": Setting(
        "EVIDOCK_AGENCY", "name of the custody log and its keys, like a domain; empty: one of its own", ""
    ),
    "timezone": Setting("EVIDOCK_TIMEZONE", "zone of the cameras' clocks", "Asia/Shanghai"),
    "catalog": Setting("EVIDOCK_CATALOG", "recording catalog (YAML); empty: the default one", ""),
    "keeping": Setting("EVIDOCK_KEEPING", "figures of keeping that are no law (YAML); empty: the default ones", ""),
    "default_item": Setting(
        "EVIDOCK_DEFAULT_ITEM", "catalog item of recordings that no rule classifies; empty: none", "JC-01"
    ),
    "case_feed_url": Setting(
        "EVIDOCK_CASE_FEED_URL", "the agency's case system (办案系统), asked every 10 minutes; empty: none", ""
    ),
    "case_feed_token_file": Setting(
        "EVIDOCK_CASE_FEED_TOKEN_FILE", "private file with the token that the case system wants; empty: none", ""
    ),
    "ffmpeg": Setting("EVIDOCK_FFMPEG", "ffmpeg program; empty: PATH, then the imageio-ffmpeg wheel", ""),
    "sandbox": Setting(
        "EVIDOCK_SANDBOX",
        "`required`: media is decoded in a sandbox, or waits; `off`: with limits only, once two people agreed on it",
        "required",
    ),
    "quiet_s": Setting("EVIDOCK_QUIET_S", "seconds a file must be quiet before it is taken", "3"),
    "lease_s": Setting("EVIDOCK_LEASE_S", "seconds a worker's lease lasts without a heartbeat", "30"),
    "workers": Setting("EVIDOCK_WORKERS", "steps a worker process runs at once", "2"),
    "dock": Setting("EVIDOCK_DOCK", "name of this dock station in records", "dock-1"),
    "serve": Setting("EVIDOCK_SERVE", "HOST:PORT where `evidock serve` answers docks and terminals", "127.0.0.1:9443"),
    "tls_cert": Setting(
        "EVIDOCK_TLS_CERT", "certificate chain (PEM) of `evidock serve`; empty: one of its own, which docks pin", ""
    ),
    "tls_key": Setting("EVIDOCK_TLS_KEY", "private key (PEM) of that certificate", ""),
    "public_url": Setting(
        "EVIDOCK_PUBLIC_URL",
        "where browsers reach `evidock serve`, as `https://HOST[:PORT]`; needed for passkeys and signing in elsewhere",
        "",
    ),
    "oidc_issuer": Setting(
        "EVIDOCK_OIDC_ISSUER", "OpenID provider that people sign in at, as it calls itself; empty: none", ""
    ),
    "oidc_client_id": Setting("EVIDOCK_OIDC_CLIENT_ID", "what that provider calls this server", "evidock"),
    "oidc_secret_file": Setting(
        "EVIDOCK_OIDC_SECRET_FILE", "private file with the secret that it gave this server; empty: none", ""
    ),
    "second_factor": Setting(
        "EVIDOCK_SECOND_FACTOR",
        "`on`: administrators, approvers and auditors need codes or a passkey for acts that matter; `off`: a password "
        "does",
        "on",
    ),
    "trusted_proxies": Setting(
        "EVIDOCK_TRUSTED_PROXIES",
        "exact addresses of reverse proxies, with spaces between: the last address in their `X-Forwarded-For` is "
        "whence a request comes; empty: none is believed",
        "",
    ),
    "outbound_allow": Setting(
        "EVIDOCK_OUTBOUND_ALLOW",
        "hosts, addresses and networks inside that the server may ask (identity provider, web hooks), with spaces "
        "between; the internet it may ask by HTTPS",
        "",
    ),
    "watermark": Setting(
        "EVIDOCK_WATERMARK",
        "`on`: whoever is shown footage sees their name in every picture; `off`: where a grant asks for it",
        "off",
    ),
    "server": Setting(
        "EVIDOCK_SERVER", "https://HOST:PORT of a server that commands ask instead of a home; empty: this machine", ""
    ),
    "server_pin": Setting(
        "EVIDOCK_SERVER_PIN", "SHA-256 of that server's certificate, where no authority vouches for it", ""
    ),
    "key_file": Setting("EVIDOCK_KEY_FILE", "private file with the API key that the server is asked with", ""),
    "dock_ports": Setting(
        "EVIDOCK_DOCK_PORTS",
        "folder of a dock station with a folder for each port, where its device is mounted",
        "/run/evidock/ports",
    ),
    "dock_priority": Setting(
        "EVIDOCK_DOCK_PRIORITY", "ports of a dock station whose devices go first, with spaces between; empty: none", ""
    ),
    "dock_backup": Setting(
        "EVIDOCK_DOCK_BACKUP", "folder on another disk of the dock where each file is kept once more; empty: none", ""
    ),
    "dock_writable": Setting(
        "EVIDOCK_DOCK_WRITABLE",
        "program that makes a port's card writable for erasing (`open PORT`, `close PORT`); empty: none",
        "",
    ),
    "operate": Setting(
        "EVIDOCK_OPERATE",
        "HOST:PORT where worker and watcher answer /healthz, /readyz, /metrics; port 0: a free one; empty: nowhere",
        "",
    ),
    "log": Setting("EVIDOCK_LOG", "lines on standard error: json, plain, or auto (plain on a terminal)", "auto"),
    "spool_free": Setting(
        "EVIDOCK_SPOOL_FREE",
        "space that taking in leaves free: bytes, a share, or the smaller of both",
        "2 GiB or 5 %",
    ),
    "backlog": Setting("EVIDOCK_BACKLOG", "jobs that wait or run; with more of them nothing is taken", "10000"),
}
