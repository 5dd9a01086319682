# SPDX-License-Identifier: Apache-2.0
"""This is where a device that only knows RTMP or SRT is heard: the ffmpeg program listens, and cuts into fragments.

The picture and sound are the sender's, packet by packet; nothing is decoded or encoded here. The program must reach
the network, so no wall stands around it: it has limits, no new privileges, its protocols and demuxer named, and
ends with us. When a recording began is told by our clock, when its first bytes came.
"""

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from evidence.claims import Claim, Claims, Source
from evidence.errors import BadInput, NotMedia, TooLarge
from pipeline import live
from pipeline.live import Announced, Sender, look
from pipeline.live_closing import Ended, cut_off, end, take_down
from pipeline.live_figures import figures
from pipeline.media.codecs import DECODER_WHITELIST
from pipeline.media.process import Limits, Streams, run_walled
from pipeline.media.sandbox.command import Walls
from pipeline.ports import Ports
from pipeline.received import ReceivedFiles

ENCODER = "encoder"
"""Who stands as the sender: nobody enrolled for this."""

_DAY_S = 86_400
_LIMITS = Limits(wall_s=_DAY_S, cpu_s=_DAY_S // 4, address_space_bytes=4 << 30, output_bytes=1 << 16)
_FLAGS = "frag_keyframe+empty_moov+default_base_moof+skip_trailer"
_SRT_OPTIONS = frozenset({"passphrase", "pbkeylen", "latency"})
_PORTS = range(1, 65_536)


@dataclass(frozen=True, slots=True)
class Place:
    """Where to listen, as the program takes it: protocol, address, options of input and output, demuxer, protocols."""

    protocol: str
    url: str
    demuxer: str
    protocols: str
    listening: tuple[str, ...] = ()
    rewrapping: tuple[str, ...] = ()


def place(url: str) -> Place:
    """The place that `rtmp://HOST:PORT/APP/KEY` or `srt://HOST:PORT[?passphrase=…]` names.

    Raises:
        BadInput: it is neither, or has options that are not for a listener.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadInput(f"not an address to listen at: {url[:80]!r}") from error
    asked = parse_qs(parts.query, keep_blank_values=True)
    if port not in _PORTS or not parts.hostname or parts.username or not url.isascii() or not url.isprintable():
        raise BadInput("write rtmp://HOST:PORT/APP/KEY or srt://HOST:PORT?passphrase=…")
    if parts.scheme == "rtmp" and not asked:
        return Place("RTMP", url, "flv", "rtmp,tcp", listening=("-listen", "1"))
    if parts.scheme == "srt" and set(asked) <= _SRT_OPTIONS:
        mark = "&" if asked else "?"
        # AAC comes framed for a broadcast, and MP4 holds it bare: its header is moved, its packets stay.
        return Place("SRT", f"{url}{mark}mode=listener", "mpegts", "srt", rewrapping=("-bsf:a", "aac_adtstoasc"))
    raise BadInput("only rtmp:// and srt:// are listened at, srt with passphrase, pbkeylen and latency alone")


def listen(
    where: Place, *, device: str, program: Path, ports: Ports, now: Callable[[], datetime], heard: Callable[[str], None]
) -> str | None:
    """Wait for one sender and take down what it sends; the Recording that it is, None when nothing came.

    `heard` is told the id of the live recording when it begins. A sender that ends, or goes away, ends it: the
    program cannot tell which. What had come when we are stopped is kept as it is.

    Raises:
        ToolMissing: the program cannot be started. NotMedia, TooLarge: it sends what no fragments can be made of.
        StoreUnavailable, RegisterUnavailable: what came before is kept.
    """
    taker = _Taker(where.protocol, Sender(ENCODER, device), ports, now, heard)
    command = [str(program), "-nostdin", "-hide_banner", "-v", "error", "-protocol_whitelist", where.protocols]
    command += ["-codec_whitelist", DECODER_WHITELIST, *where.listening, "-f", where.demuxer, "-i", where.url]
    command += ["-map", "0:v?", "-map", "0:a?", "-c", "copy", *where.rewrapping, "-f", "mp4"]
    command += [
        "-flush_packets",
        "1",
        "-frag_duration",
        str(figures().longest_fragment_s * 1_000_000),
        "-movflags",
        _FLAGS,
        "pipe:1",
    ]
    try:
        with tempfile.TemporaryDirectory() as folder:
            ended = run_walled(
                command,
                walls=Walls("off", may_fork=True),
                limits=_LIMITS,
                cwd=Path(folder),
                streams=Streams(on_bytes=taker.take),
                env={},
            )
    except BaseException:
        taker.break_off()
        raise
    if not taker.live and ended.returncode:
        raise BadInput(f"nothing was heard at {where.protocol}: {ended.stderr.strip()[-200:]}")
    return taker.finish()


@dataclass(slots=True)
class _Taker:
    """Makes fragments of what the program writes, and takes each down."""

    protocol: str
    sender: Sender
    ports: Ports
    now: Callable[[], datetime]
    heard: Callable[[str], None]
    live: str | None = None
    _count: int = 0
    _sha: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    _left: bytearray = field(default_factory=bytearray)
    _gathered: bytearray = field(default_factory=bytearray)

    def take(self, data: bytes) -> None:
        """Bytes as they come, in any pieces."""
        self._left += data
        while len(self._left) >= 8:
            size, kind = int.from_bytes(self._left[:4], "big"), bytes(self._left[4:8])
            if size < 8:
                raise NotMedia(f"the program wrote a box of {size} bytes")
            if size + len(self._gathered) > figures().fragment_bytes:
                raise TooLarge(f"the sender's fragments are larger than {figures().fragment_bytes} bytes")
            if len(self._left) < size:
                return
            self._gathered += self._left[:size]
            del self._left[:size]
            if kind in (b"moov", b"mdat"):
                self._put(bytes(self._gathered))
                self._gathered.clear()

    def _put(self, data: bytes) -> None:
        if self.live is None:
            self.live = self._begin()
        digest = hashlib.sha256(data).digest()
        live.take(self.live, self._count, data, sha256=digest, sender=self.sender, ports=self.ports)
        self._sha.update(data)
        self._count += 1

    def _begin(self) -> str:
        began = self.now()
        name = f"{self.sender.device}_{began:%Y%m%d_%H%M%S}.mp4"
        note = Claim("note", f"sent live over {self.protocol}; began by the server's clock", Source.DEVICE_INFO)
        said = Announced(name, f"listen/{name}", "video", began, Claims((note,)))
        identifier = live.announce(said, sender=self.sender, ports=self.ports)
        self.heard(identifier)
        return identifier

    def finish(self) -> str | None:
        """The Recording of all that came."""
        if self.live is None:
            return None
        said = Ended(self._count, self._sha.hexdigest())
        return end(self.live, said, sender=self.sender, ports=self.ports, now=self.now())

    def break_off(self) -> None:
        """Keep what came, as cut off."""
        if self.live is not None and self._count:
            files = ReceivedFiles(self.ports.received)
            cut_off(look(self.live, sender=self.sender, files=files), files=files)
            take_down(self.live, ports=self.ports, now=self.now())
