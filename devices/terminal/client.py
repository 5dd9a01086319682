# SPDX-License-Identifier: Apache-2.0
"""This is where a terminal is played: it records, keeps what it records, and sends it while it still records.

The reference for makers of terminals (docs/upload-protocol.md); it needs urllib3, cryptography and an ffmpeg program.

    python -m devices.terminal.client FOLDER enrol --server https://HOST:8443 --code CODE --pin SHA256
    python -m devices.terminal.client FOLDER record --seconds 60 --case 2026-017 --officer 031234
    python -m devices.terminal.client FOLDER send       (what an earlier run could not)
"""

import argparse
import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import urllib3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

OUT_OF_ORDER, ENDED, LATER = "offset-conflict", "wrong-state", (401, 408, 423, 429, 460)
WORD = ("case", "item", "officer", "device", "place")


def say(**told: Any) -> None:
    """One line of JSON for whoever looks on."""
    os.write(sys.stdout.fileno(), json.dumps({"at": time.monotonic(), **told}).encode() + b"\n")


def check(is_taken: bool, answer: dict[str, Any]) -> None:
    """End with the server's words when it refuses."""
    if not is_taken:
        sys.exit(f"the server refuses: {answer.get('detail', answer)}")


def keep(path: Path, data: bytes) -> None:
    """Write a small file, whole or not at all."""
    with (draft := path.with_name(f".{path.name}")).open("wb") as file:
        last(file, data)
    draft.replace(path)


def last(file: IO[bytes], data: bytes) -> None:
    """Write so that it survives a power cut."""
    file.write(data)
    file.flush()
    os.fsync(file.fileno())


class Recording:
    """What was recorded, on the terminal: the media, where and when each fragment of it ended, what is told of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ends, told = folder / "ends", folder / "told"
        whole = re.findall(rb"([0-9]+) ([0-9]+)\n", ends.read_bytes()) if ends.exists() else []
        self.ends, self.count = [(0, 0), *((int(end), int(at)) for end, at in whole)], len(whole)
        self.told: dict[str, Any] = json.loads(told.read_bytes()) if told.exists() else {}

    def tell(self, **more: Any) -> None:
        """Keep something of it."""
        self.told = self.told | more
        keep(self.folder / "told", json.dumps(self.told).encode())

    def append(self, data: bytes) -> None:
        """Keep a fragment; only then it counts."""
        end, at = self.ends[-1][0] + len(data), time.time_ns() // 1000
        with (self.folder / "media.mp4").open("ab") as media, (self.folder / "ends").open("ab") as ends:
            media.truncate(self.ends[-1][0])
            last(media, data)
            last(ends, b"%d %d\n" % (end, at))
        self.ends.append((end, at))
        self.count += 1

    def fragment(self, number: int) -> bytes:
        """Fragment `number` of the media; 0 is the init segment."""
        (start, _), (end, _) = self.ends[number : number + 2]
        with (self.folder / "media.mp4").open("rb") as media:
            media.seek(start)
            return media.read(end - start)

    def begins_at(self, skipped: int) -> str:
        """When what is left without the first fragments began: when the last of these had ended."""
        at = self.ends[skipped + 1][1] / 1_000_000
        return datetime.fromtimestamp(at, UTC).isoformat() if skipped else str(self.told["started_at"])


def fragments(stream: IO[bytes] | None) -> Iterator[bytes]:
    """The parts of fragmented MP4: all before the first `moof`, then each `moof` with its `mdat`, if whole."""
    gathered = b""
    while stream and len(header := stream.read(8)) == 8:
        size, kind = int.from_bytes(header[:4], "big"), header[4:]
        body = stream.read(size - 8)
        if len(body) < size - 8:
            return
        gathered += header + body
        if kind in (b"moov", b"mdat"):
            yield gathered
            gathered = b""


def film(recording: Recording, asked: argparse.Namespace) -> None:
    """Record until the time is up; each fragment is kept as soon as it is whole."""
    source = ["-i", asked.file] if asked.file else ["-f", "lavfi", "-i", f"testsrc2=size={asked.size}:rate=25"]
    command = [asked.ffmpeg, "-nostdin", "-v", "error", "-re", *source, "-t", str(asked.seconds)]
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    command += ["-force_key_frames", f"expr:gte(t,n_forced*{asked.fragment})", "-flush_packets", "1", "-f", "mp4"]
    command += ["-movflags", "frag_keyframe+empty_moov+default_base_moof+skip_trailer", "pipe:1"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as camera:
        for data in fragments(camera.stdout):
            recording.append(data)
            say(kept=recording.count - 1, bytes=len(data))
    (recording.folder / "whole").touch()


class NotNow(Exception):
    """The server cannot now, maybe in so many seconds: what is here is kept, and sent later."""


class Server:
    """The server, as one enrolled terminal speaks to it."""

    def __init__(self, folder: Path) -> None:
        told = json.loads((folder / "terminal.json").read_bytes())
        self.key = Ed25519PrivateKey.from_private_bytes((folder / "key").read_bytes())
        self._url, self._dock, self._token = told["server"], told.get("dock"), ""
        pinned = {"assert_fingerprint": told["pin"], "cert_reqs": "CERT_NONE"} if told["pin"] else {}
        self._pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=5.0, read=20.0), **pinned)

    def ask(self, method: str, path: str, body: dict[str, Any] | bytes = b"") -> tuple[int, dict[str, Any]]:
        """Send JSON or bytes, with their digest (RFC 9530); status and answer. Raises: NotNow."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        digest = base64.b64encode(hashlib.sha256(sent).digest()).decode()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Digest": f"sha-256=:{digest}:"}
        headers["Content-Type"] = "video/mp4" if isinstance(body, bytes) else "application/json"
        try:
            answer = self._pool.request(method, self._url + path, body=sent, headers=headers, redirect=False)
            told = json.loads(answer.data or b"{}")
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise NotNow(0.0) from error
        if answer.status == 401 and path.startswith("/v1/live") and self._sign_in():
            return self.ask(method, path, body)
        if (answer.status in LATER and path != "/v1/enrolments") or answer.status >= 500:
            raise NotNow(float(answer.headers.get("Retry-After") or 0))
        return answer.status, told

    def _sign_in(self) -> bool:
        self._token = ""
        asked = self.ask("POST", "/v1/challenges", {"dock": self._dock})[1].get("challenge")
        signature = self.key.sign(f"evidock-session-v1\n{self._dock}\n{asked}".encode())
        told = {"dock": self._dock, "challenge": asked, "signature": base64.b64encode(signature).decode()}
        self._token = str(self.ask("POST", "/v1/sessions", told)[1].get("token", ""))
        return bool(self._token)


def enrol(folder: Path, asked: argparse.Namespace) -> None:
    """Make a key, and have the server know it by the one-time code."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (folder / "key").exists():
        keep(folder / "key", Ed25519PrivateKey.generate().private_bytes_raw())
    told = {"server": asked.server.rstrip("/"), "pin": asked.pin.replace(":", "").lower()}
    keep(folder / "terminal.json", json.dumps(told).encode())
    speaker = Server(folder)
    key = base64.b64encode(speaker.key.public_key().public_bytes_raw()).decode()
    status, answer = speaker.ask("POST", "/v1/enrolments", {"code": asked.code, "name": folder.name, "key": key})
    check(status == 201, answer)
    keep(folder / "terminal.json", json.dumps({**told, **answer}).encode())
    say(enrolled=answer["dock"])


class Sending:
    """Sends one recording for as long as it takes. A continuation has the init segment, and not what was `skipped`."""

    def __init__(self, recording: Recording, server: Server) -> None:
        self._recording, self._server = recording, server

    def run(self) -> None:
        """Until all of it is a Recording at the server."""
        pause_s = 0.0
        while not self._recording.told.get("recording"):
            try:
                pause_s = 0.0 if self._step() else 0.02
            except NotNow as error:
                pause_s = max(min(max(2 * pause_s, 0.25), 8.0), *error.args)
                say(waits=pause_s)
            time.sleep(pause_s)

    def _step(self) -> bool:
        told = self._recording.told
        if "live" not in told:
            return self._recording.count > 0 and self._begin(told.get("skipped", 0))
        number, ours = told["sent"], told["sent"] and told["sent"] + told["skipped"]
        is_whole = (self._recording.folder / "whole").exists()  # before it is seen whether there are more
        if ours < self._recording.count:
            return self._send(number, self._recording.fragment(ours))
        return is_whole and self._end()

    def _begin(self, skipped: int) -> bool:
        name, continues = f"{self._recording.folder.name}_{skipped:06d}.mp4", self._recording.told.get("continues")
        started_at = self._recording.begins_at(skipped)
        body = {"name": name, "path": f"live/{name}", "started_at": started_at, "continues": continues}
        status, answer = self._server.ask("POST", "/v1/live", body)
        check(status == 201, answer)
        self._recording.tell(live=answer["live"], sent=0, skipped=skipped)
        say(live=answer["live"])
        return True

    def _send(self, number: int, data: bytes) -> bool:
        status, answer = self._server.ask("PUT", f"/v1/live/{self._recording.told['live']}/fragments/{number}", data)
        if status != 204:
            return self._other(status, answer)
        self._recording.tell(sent=number + 1)
        say(acknowledged=number)
        return True

    def _other(self, status: int, answer: dict[str, Any]) -> bool:
        """What the server wants instead: another fragment; or, when it ended there, what is left as a new recording."""
        told = self._recording.told
        if answer.get("code") == OUT_OF_ORDER:
            self._recording.tell(sent=int(answer["values"]["next"]))
            return True
        check(status == 404 or answer.get("code") == ENDED, answer)
        kept = self._server.ask("GET", f"/v1/live/{told['live']}")[1].get("next", told["sent"])
        skipped = told["skipped"] + max(kept, 1) - 1
        if (self._recording.folder / "whole").exists() and skipped + 1 >= self._recording.count:
            self._recording.tell(recording="all of it is there, without our word")
        else:
            self._recording.told = {key: one for key, one in told.items() if key not in ("live", "sent")}
            self._recording.tell(continues=told["live"], skipped=skipped)
        return True

    def _end(self) -> bool:
        told, sha = self._recording.told, hashlib.sha256(self._recording.fragment(0))
        for number in range(told["skipped"] + 1, self._recording.count):
            sha.update(self._recording.fragment(number))
        word = {**told["word"], "started_at": self._recording.begins_at(told["skipped"]), "sha256": sha.hexdigest()}
        sidecar = json.dumps(word, ensure_ascii=False, sort_keys=True)
        body = {"fragments": told["sent"], "sha256": sha.hexdigest(), "sidecar": sidecar}
        body["signature"] = base64.b64encode(self._server.key.sign(f"evidock-sidecar-v1\n{sidecar}".encode())).decode()
        status, answer = self._server.ask("POST", f"/v1/live/{told['live']}/end", body)
        if status != 201:
            return self._other(status, answer)
        self._recording.tell(recording=answer["recording"])
        say(recording=answer["recording"])
        return True


def begun(asked: argparse.Namespace) -> Recording:
    """A new recording, with what was chosen on the terminal."""
    now = datetime.now(UTC)
    recording = Recording(asked.folder / "recordings" / now.strftime("%Y%m%d_%H%M%S_%f"))
    recording.folder.mkdir(parents=True)
    word = {name: value for name in WORD if (value := getattr(asked, name))}
    word["marks"] = [{"at": now.isoformat(), "text": text} for text in asked.mark]
    recording.tell(started_at=now.isoformat(), word=word)
    return recording


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m devices.terminal.client")
    parser.add_argument("folder", type=Path)
    does = parser.add_subparsers(dest="do", required=True)
    enrols, records, _ = (does.add_parser(name) for name in ("enrol", "record", "send"))
    for name in ("server", "code", "pin"):
        enrols.add_argument(f"--{name}", required=name != "pin", default="")
    for name in (*WORD, "file"):
        records.add_argument(f"--{name}")
    records.add_argument("--mark", action="append", default=[])
    for name, value in (("seconds", 3600.0), ("fragment", 1.0), ("size", "640x360"), ("ffmpeg", "ffmpeg")):
        records.add_argument(f"--{name}", type=type(value), default=value)
    asked = parser.parse_args()
    os.umask(0o077)  # the key is nobody else's
    if asked.do == "enrol":
        enrol(asked.folder, asked)
    server = Server(asked.folder)
    if asked.do == "record":
        shutil.which(asked.ffmpeg) or sys.exit(f"there is no program {asked.ffmpeg}: name ffmpeg with --ffmpeg")
        threading.Thread(target=film, args=(recording := begun(asked), asked)).start()
        Sending(recording, server).run()
    for left in map(Recording, sorted((asked.folder / "recordings").glob("*"))):
        if left.count and not left.told.get("recording"):
            (left.folder / "whole").touch()
            Sending(left, server).run()


if __name__ == "__main__":
    try:
        main()
    except NotNow:
        sys.exit("the server does not answer, or is not the one that was pinned")
