# SPDX-License-Identifier: Apache-2.0
"""This is where a running dock station is seen from outside: a small file, and three pages at EVIDOCK_OPERATE.

dock/network.json   {"at", "is_online", "why", "waiting", "untold", "sent_bytes", …}, replaced whole
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from app import clocks
from app.operate.endpoint import HEALTH, Answer, Page, answering, json_answer
from app.operate.lines import Notes
from app.settings import Settings
from devices.agent.pieces import Sent
from devices.agent.server import HttpServer
from devices.agent.server_patience import Gate
from devices.agent.spool import Spool
from devices.agent.states import Board, Phase
from evidence import instant
from evidence.errors import EvidockError
from storage.durable import store_errors

NETWORK = "network.json"


class DockFigures:
    """What is known of a running dock. Threads share it."""

    def __init__(self, folder: Path, sent: Sent, gate: Gate, server: HttpServer, spool: Spool, board: Board) -> None:
        self._path = folder / NETWORK
        self._sent = sent
        self._gate = gate
        self._server = server
        self._spool = spool
        self._board = board
        self._writing = threading.Lock()
        self._registry = CollectorRegistry()
        self._gauges = {
            name: Gauge(f"evidock_dock_{name}", words, registry=self._registry)
            for name, words in (
                ("online", "1 while the server answers"),
                ("waiting_files", "files without a receipt"),
                ("untold", "things that wait to be told to the server"),
                ("sent_bytes", "bytes of files given to the network since the start"),
                ("acknowledged_bytes", "bytes of files that the server acknowledged since the start"),
                ("cuts", "pieces that broke off since the start"),
            )
        }
        self._ports = Gauge("evidock_dock_ports", "ports by what they do", ["phase"], registry=self._registry)

    @property
    def why(self) -> str:
        """Why the server cannot be asked, as far as is known."""
        return self._gate.why or "it does not answer"

    def told(self) -> dict[str, Any]:
        """All of it as JSON takes it.

        Raises:
            StoreUnavailable: the dock's own folder cannot be read.
        """
        return {
            "at": instant.to_text(clocks.now()),
            "is_online": self._gate.is_open,
            "why": self._gate.why or "",
            "waiting_files": self._spool.count_waiting(),
            "untold": self._server.count_waiting(),
            "sent_bytes": self._sent.bytes,
            "acknowledged_bytes": self._sent.acknowledged,
            "cuts": self._sent.cuts,
        }

    def write(self) -> None:
        """Bring the file up to date; a disk that is full leaves it as it was."""
        try:
            body = json.dumps(self.told(), ensure_ascii=False, indent=1) + "\n"
            with self._writing, store_errors("the dock's figures cannot be written"):
                draft = self._path.with_name(f".{self._path.name}")
                draft.write_text(body, "utf-8")
                draft.replace(self._path)
        except EvidockError:
            return  # whoever writes files of footage says so; this one only tells of them

    @contextmanager
    def seen(self, settings: Settings, notes: Notes) -> Iterator[None]:
        """Answer at EVIDOCK_OPERATE while the block runs, when it is set.

        Raises:
            BadInput: nothing can listen there.
        """
        if settings.operate is None:
            yield
            return
        pages: dict[str, Page] = {
            HEALTH: lambda: json_answer({"alive": True, "hanging": []}, status=200),
            "/readyz": self._ready,
            "/metrics": self._metrics,
        }
        with answering(settings.operate, pages) as where:
            notes.tell(f"{where} answers /healthz, /readyz and /metrics")
            yield

    def _ready(self) -> Answer:
        """A dock takes devices without a network; without its own disk it takes none."""
        try:
            told = self.told()
        except EvidockError as error:
            return json_answer({"ready": False, "code": error.code}, status=503)
        return json_answer({"ready": True, "is_online": told["is_online"]}, status=200)

    def _metrics(self) -> Answer:
        told = self.told()
        for name, gauge in self._gauges.items():
            gauge.set(told["is_online" if name == "online" else name])
        phases = [state.phase for state in self._board.states().values()]
        for phase in Phase:
            self._ports.labels(str(phase)).set(phases.count(phase))
        return Answer(200, CONTENT_TYPE_LATEST, generate_latest(self._registry))
