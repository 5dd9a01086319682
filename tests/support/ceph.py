# SPDX-License-Identifier: Apache-2.0
"""A private Ceph object gateway for tests: a real S3 server with Object Lock, on loopback, gone at the end.

Three daemons (mon, osd, radosgw) without cephx, systemd or mgr. None of them runs as root, and the kernel ends
them with the process that started them. `memory_gateway` is the session's one; its data is in memory. `gateway`
makes one on a disk whose daemons can be killed and started again.

Source: Ceph documentation, "Manual Deployment" and "Ceph Configuration Reference".
"""

import atexit
import http.client
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import boto3
from botocore.config import Config

from tests.support.footage import missing

ACCESS, SECRET, REGION = "testkey", "testsecret", "us-east-1"
PROGRAMS = (
    "ceph",
    "ceph-authtool",
    "ceph-mon",
    "ceph-osd",
    "monmaptool",
    "openssl",
    "radosgw",
    "radosgw-admin",
    "setpriv",
)
_NOBODY = "65534"

_CONFIGURATION = """\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon_port}/0]
mon initial members = a
ms bind msgr1 = false
ms bind port min = {port_min}
ms bind port max = {port_max}
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
run dir = {folder}/run
admin socket = {folder}/run/$cluster-$name.asok
log file = {folder}/log/$name.log
crash dir = {folder}/log
keyring = {folder}/keyring
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd crush chooseleaf type = 0
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 2000
mon data avail crit = 1
[mon]
# Decisions of a monitor without peers need not wait for any.
paxos propose interval = 0.05
paxos min wait = 0.01
mon osd min up ratio = 0
[mon.a]
mon data = {folder}/mon
[osd]
osd data = {folder}/osd
osd objectstore = {store}
memstore device bytes = 4G
bluestore block size = 8G
bluestore block db create = false
bluestore block wal create = false
osd memory target = 1G
osd fast shutdown = true
[client.rgw]
# Without cephx the gateway's usual secure mode would wait for ever.
ms mon client mode = crc
rgw frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1 {tls}
rgw data = {folder}/rgw
rgw enable usage log = false
rgw gc obj min wait = 60
rgw thread pool size = 64
rgw run sync thread = false
"""


class Ceph:
    """A running gateway; `endpoint` is its URL, `client` an administrator's."""

    def __init__(self, folder: Path, *, store: Literal["memstore", "bluestore"]) -> None:
        self.folder = folder
        self.port = _free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._tls_port = _free_port()
        self.tls_endpoint, self.tls_certificate = f"https://127.0.0.1:{self._tls_port}", folder / "tls.pem"
        self._daemons: list[subprocess.Popen[bytes]] = []
        self._lay_out(store)
        self._make()

    @cached_property
    def client(self) -> Any:
        """The owner's of every bucket, who may do there whatever the server lets anybody do."""
        settings = Config(
            s3={"addressing_style": "path"},
            retries={"total_max_attempts": 3, "mode": "standard"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        keys = {"aws_access_key_id": ACCESS, "aws_secret_access_key": SECRET}
        return boto3.client("s3", endpoint_url=self.endpoint, region_name=REGION, config=settings, **keys)

    def new_bucket(self, *, lock: bool = False, versioning: bool = False) -> str:
        """The name of a fresh bucket."""
        name = f"b-{secrets.token_hex(6)}"
        self.client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=lock)
        if versioning and not lock:
            self.client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name

    def url(self, bucket: str, *, lock: str = "none", prefix: str = "home", endpoint: str | None = None) -> str:
        """What a person would write into EVIDOCK_OBJECTS_URL."""
        return f"s3://{bucket}/{prefix}?endpoint={quote(endpoint or self.endpoint, safe='')}&lock={lock}"

    def kill(self) -> None:
        """SIGKILL to all three at once, as a power cut of the server's machine."""
        for daemon in self._daemons:
            daemon.send_signal(signal.SIGKILL)
        for daemon in self._daemons:
            daemon.wait()
        self._daemons.clear()

    def start(self) -> None:
        """All three, until the gateway answers."""
        self._daemon("ceph-mon", "-i", "a")
        self._run("ceph", "-s", "--connect-timeout", "20")
        self._daemon("ceph-osd", "-i", "0")
        self._until(self._is_osd_up, "the osd is up")
        self._start_gateway()

    def _start_gateway(self) -> None:
        self._daemon("radosgw", "-n", "client.rgw")
        self._until(self._is_answering, "the gateway answers")

    def _lay_out(self, store: str) -> None:
        for name in ("mon", "osd", "run", "log", "rgw"):
            (self.folder / name).mkdir(parents=True)
        mon_port = _free_port()
        text = _CONFIGURATION.format(
            folder=self.folder,
            fsid=uuid.uuid4(),
            store=store,
            mon_port=mon_port,
            # The osd takes four of these.
            port_min=40_000 + mon_port % 10_000,
            port_max=40_200 + mon_port % 10_000,
            port=self.port,
            tls=f"ssl_endpoint=127.0.0.1:{self._tls_port} ssl_certificate={self.tls_certificate}",
        )
        (self.folder / "ceph.conf").write_text(text)
        self._make_certificate()
        if os.geteuid() == 0:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, int(_NOBODY), int(_NOBODY))

    def _make_certificate(self) -> None:
        key, certificate = self.folder / "key.pem", self.folder / "certificate.pem"
        words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"
        extra = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
        subprocess.run(["openssl", *words.split(), *extra], check=True, capture_output=True)  # noqa: S607
        self.tls_certificate.write_text(certificate.read_text() + key.read_text())

    def _make(self) -> None:
        keyring, monmap = f"{self.folder}/keyring", f"{self.folder}/monmap"
        text = (self.folder / "ceph.conf").read_text()
        fsid = text.split("fsid = ")[1].split()[0]
        host = text.split("mon host = ")[1].split("/0]")[0] + "]"
        every = ["--cap", "mon", "allow *", "--cap", "osd", "allow *"]
        self._run("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        self._run("ceph-authtool", keyring, "--gen-key", "-n", "client.admin", *every)
        self._run("ceph-authtool", keyring, "--gen-key", "-n", "client.rgw", *every)
        self._run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", host, monmap)
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", keyring)
        self._daemon("ceph-mon", "-i", "a")
        osd = str(uuid.uuid4())
        self._run("ceph", "osd", "new", osd, "--connect-timeout", "20")
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self._daemon("ceph-osd", "-i", "0")
        self._until(self._is_osd_up, "the osd is up")
        user = ["--uid=test", "--display-name=test", f"--access-key={ACCESS}", f"--secret-key={SECRET}"]
        self._run("radosgw-admin", "-n", "client.rgw", "user", "create", *user)
        self._start_gateway()

    def _as_nobody(self, *words: str) -> list[str]:
        command = ["setpriv", "--pdeathsig", "KILL"]
        if os.geteuid() == 0:
            command += [f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"]
        return [*command, *words]

    def _environment(self) -> dict[str, str]:
        # The programs of the distribution bring a Python of their own.
        kept = {name: os.environ[name] for name in ("LANG", "TZ") if name in os.environ}
        path = os.pathsep.join(("/usr/sbin", "/usr/bin", "/sbin", "/bin"))
        return {**kept, "PATH": path, "CEPH_CONF": f"{self.folder}/ceph.conf", "HOME": str(self.folder)}

    def _run(self, *words: str) -> str:
        command = self._as_nobody(*words)
        done = subprocess.run(
            command, env=self._environment(), cwd=self.folder, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{words[0]} failed: {done.stderr[-2000:]}"
        return done.stdout

    def _daemon(self, *words: str) -> None:
        with (self.folder / "log" / "daemons").open("ab") as log:
            started = subprocess.Popen(
                self._as_nobody(*words, "-f"),
                env=self._environment(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._daemons.append(started)

    def _until(self, claim: Any, words: str) -> None:
        deadline = time.monotonic() + 90
        while not claim():
            dead = [daemon.args for daemon in self._daemons if daemon.poll() is not None]
            log = self.folder / "log" / "daemons"
            assert not dead, f"{dead} ended: {log.read_text('utf-8', 'replace')[-2000:]}"
            assert time.monotonic() < deadline, f"not within 90 s: {words}"
            time.sleep(0.05)

    def _is_osd_up(self) -> bool:
        return "1 up" in self._run("ceph", "osd", "stat", "--connect-timeout", "20")

    def _is_answering(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


@contextmanager
def gateway(store: Literal["memstore", "bluestore"]) -> Iterator[Ceph]:
    """A gateway of one's own, gone at the end with all it held."""
    lacking = [name for name in PROGRAMS if shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") is None]
    if lacking:
        missing("Ceph", remedy=f"install ceph-mon, ceph-osd, ceph-common and radosgw ({', '.join(lacking)} not found)")
    # Sockets live below it: their paths may hold some hundred bytes only, and another user must reach them.
    folder = Path(tempfile.mkdtemp(prefix="ceph-", dir="/tmp"))
    folder.chmod(0o755)
    made: Ceph | None = None
    try:
        made = Ceph.__new__(Ceph)
        made.__init__(folder, store=store)  # type: ignore[misc]
        yield made
    finally:
        if made is not None:
            made.kill()
        shutil.rmtree(folder, ignore_errors=True)


@cache
def memory_gateway() -> Ceph:
    """The session's gateway in memory; started by the first who asks, ended with the session."""
    opened = gateway("memstore")
    made = opened.__enter__()

    def close() -> None:
        with suppress(Exception):
            opened.__exit__(None, None, None)

    atexit.register(close)
    return made


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
