# SPDX-License-Identifier: Apache-2.0
"""Lines of the log: one a happening whatever the values hold, no secret of ours in any, no name in JSON."""

import io
import json
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.operate.lines import Lines, open_lines, secrets_of
from app.settings import load_settings

SECRET = "pa55-w0rd"
# Where a line ends for some reader, what moves a cursor, what turns text around.
BREAKS = "\n\r\x0b\x0c\x1b\x85\u2028\u2029\u202e\u2066\x00\ud800"
hostile = st.text(st.one_of(st.sampled_from(BREAKS), st.characters()), max_size=40)


def written(out: io.StringIO) -> str:
    return out.getvalue()


@given(hostile, hostile, st.booleans())
def test_a_value_never_begins_a_line_and_never_shows_a_planted_secret(before: str, after: str, as_json: bool) -> None:
    out = io.StringIO()
    lines = Lines(out, as_json=as_json, secrets=[SECRET])
    planted = f"{before}{SECRET}{after}"
    lines.tell(planted)
    lines.note("happened", planted, reason=planted)
    lines.step("step-failed", {"recording": planted, "attempt": 1}, is_bad=True)
    told = written(out)
    assert told.endswith("\n")
    assert len(told.splitlines()) == 3
    assert SECRET not in told
    assert not set(told) & set(BREAKS.replace("\n", ""))
    if as_json:
        for line in told.splitlines():
            assert {"at", "level", "event"} <= json.loads(line).keys()


def test_json_holds_ids_and_plain_holds_the_sentence_with_the_name() -> None:
    out, plain = io.StringIO(), io.StringIO()
    for where, as_json in ((out, True), (plain, False)):
        Lines(where, as_json=as_json).note("took", "took 张三.mp4 as rec-a", recording="rec-a")
    assert json.loads(written(out))["recording"] == "rec-a"
    assert "张三" not in json.loads(written(out)).values()
    assert "mp4" not in written(out)
    assert written(plain) == "took 张三.mp4 as rec-a\n"


def test_every_password_of_the_settings_and_secret_of_the_environment_is_known(tmp_path: Path) -> None:
    environment = {
        "EVIDOCK_HOME": str(tmp_path),
        "EVIDOCK_BROKER_URL": "redis://u:br%40ker@host/0",
        "EVIDOCK_REGISTER_URL": "postgresql://me:se:c/ret@db/x",
        "AWS_SECRET_ACCESS_KEY": "awssecret",
        "PGPASSWORD": "pgsecret",
        "PATH": "/usr/bin",
    }
    found = secrets_of(load_settings(environment), environment)
    assert found == {"br%40ker", "br@ker", "se:c/ret", "awssecret", "pgsecret"}


def test_a_password_in_an_address_is_cut_out_also_when_nobody_told_us_of_it() -> None:
    out = io.StringIO()
    Lines(out, as_json=True).tell("cannot reach postgresql://evidock:hun/ter2@db/evidock now")
    assert "ter2" not in written(out)
    assert "db/evidock" in written(out)


def test_what_a_library_warns_of_is_a_line_without_its_values() -> None:
    out = io.StringIO()
    with Lines(out, as_json=True).heard():
        try:
            raise ValueError("secret name.mp4")
        except ValueError:
            logging.getLogger("some.library").exception("failed on %r\n", "secret name.mp4")
        logging.getLogger("some.library").info("nothing to see")
    [line] = [json.loads(one) for one in written(out).splitlines()]
    assert (line["library"], line["error"], line["level"]) == ("some.library", "ValueError", "warning")
    assert line["where"].startswith("test_operate_lines.py:")
    assert "name.mp4" not in written(out)
    logging.getLogger("some.library").handlers.clear()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("wanted", "out", "is_json"),
    [
        ("auto", io.StringIO(), True),
        ("auto", Terminal(), False),
        ("json", Terminal(), True),
        ("plain", io.StringIO(), False),
    ],
)
def test_lines_are_json_except_for_a_person(tmp_path: Path, wanted: str, out: io.StringIO, is_json: bool) -> None:
    settings = load_settings({"EVIDOCK_HOME": str(tmp_path), "EVIDOCK_LOG": wanted})
    out.truncate(0)
    open_lines(settings, out, environment={}).tell("hello")
    assert written(out).lstrip("\x00").startswith("{") is is_json
