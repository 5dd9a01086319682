# SPDX-License-Identifier: Apache-2.0
"""The connection file lets a body worn system of Axis in, and tells its manager where and how to store."""

import base64
import json
import stat
from functools import partial
from pathlib import Path

from cryptography import x509

from storage.register import dock_rows
from tests.support.axis_controller import SERIAL, USER, Controller
from tests.support.command import evidock
from tests.support.home import open_home
from tests.support.web_server import web_server


def test_a_connection_file_opens_the_door_and_holds_no_key_of_ours(tmp_path: Path) -> None:
    file = tmp_path / "station.json"
    with open_home(tmp_path / "home") as home:
        asked = ("dock", "connection", "station 3", "-o", str(file), "--url", "https://evidock.example:9443")
        body = evidock(*asked, "--json", home=home.settings.home).json
        told = json.loads(file.read_text("utf-8"))
        private = (home.settings.home / "tls" / "tls.pem").read_text("ascii")

        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert told["AuthenticationTokenURI"] == ["https://evidock.example:9443/auth/v1.0"]
        assert (told["ConnectionFileVersion"], told["WantEncryption"], told["SiteName"]) == ("1.0", False, "station 3")
        assert len(told["BlobAPIKey"]) <= 64
        (certificate,) = (base64.b64decode(one) for one in told["HTTPSCertificate"])
        assert x509.load_pem_x509_certificate(certificate).subject.rfc4514_string() == "CN=evidock"
        assert "PRIVATE" in private
        assert b"PRIVATE" not in certificate
        with home.ports.register.view() as connection:
            row = dock_rows.dock(connection, body["dock"])
        assert (row["kind"], row["state"], row["name"]) == ("axis", "enrolled", "station 3")
        assert told["BlobAPIKey"] not in json.dumps(home.facts(), default=str)

        with web_server(home) as server:
            system = Controller(server.port, told["BlobAPIUserName"], told["BlobAPIKey"])
            system.sign_in()
            system.put(SERIAL, b"", {"Name": "camera 1", "Model": "W110", "Active": "True"}, at="Devices")
            system.put(USER, b"", {"Name": "Li", "UserID": "430407", "Active": "True"}, at="Users")
        home.add_officer("430407")
        seen = evidock("dock", "told", "station 3", "--json", home=home.settings.home).json
        assert [(one["serial"], one["registered"]) for one in seen["devices"]] == [(SERIAL, False)]
        assert [(one["number"], one["registered"]) for one in seen["users"]] == [("430407", True)]


def test_what_no_system_could_use_lets_nobody_in(tmp_path: Path) -> None:
    there = tmp_path / "there.json"
    there.write_text("{}")
    wrong = [("http://a.example",), ("https://" + "x" * 500,), ("https://a",) * 11]
    with open_home(tmp_path / "home") as home:
        ask = partial(evidock, "dock", "connection", "a", "-o", home=home.settings.home)
        for urls in wrong:
            assert ask(tmp_path / "new.json", *(part for url in urls for part in ("--url", url))).status == 3
        assert ask(there, "--url", "https://a:1").status == 3
        with home.ports.register.view() as connection:
            assert dock_rows.every_dock(connection) == []
    assert (there.read_text(), (tmp_path / "new.json").exists()) == ("{}", False)
