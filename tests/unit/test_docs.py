# SPDX-License-Identifier: Apache-2.0
"""This is where the pages in docs/ are held to the code; run as a module it writes the tables that are made from it."""

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer

from app.cli.main import command_line
from app.settings import SETTINGS
from evidence.chunk_tree import chunk_tree_of
from evidence.lifecycle import State
from pipeline.flow import STEPS
from pipeline.media.packet_table import BLOCK, FORMAT, MAGIC, RECORD
from pipeline.tsa.local import POLICY, LocalAuthority
from storage import layout
from storage.custody_log import CustodyLog
from storage.objects_file import DirectoryStore
from storage.register.projection import KINDS
from storage.register.schema import metadata
from storage.signing import KeyFile
from tests.support import error_table

DOCS = Path(__file__).parents[2] / "docs"
DESIGN, FORMATS = DOCS / "design.md", DOCS / "formats.md"
SETTINGS_PAGE, COMMANDS_PAGE = DOCS / "operate" / "settings.md", DOCS / "operate" / "commands.md"
NOW = datetime(2026, 6, 19, 2, 0, tzinfo=UTC)
ORIGIN = "log.example.org"


def text(page: Path) -> str:
    return page.read_text("utf-8")


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


# --- tables that are made from the code -------------------------------------------------------


def settings_table() -> str:
    """One row for each setting, from `app.settings`."""
    rows = [
        f"| `{setting.variable}` | `{name}` | {setting.default or '–'} | {setting.meaning} |"
        for name, setting in SETTINGS.items()
    ]
    return "\n".join(["| variable | in the file | default | meaning |", "|---|---|---|---|", *rows])


def every_command() -> Iterator[tuple[str, str]]:
    """Each command as it is typed, and the first line of its help."""
    root = typer.main.get_command(command_line())
    for name, command in sorted(getattr(root, "commands").items()):  # noqa: B009  # typer's group is not typed so
        inner = getattr(command, "commands", None)
        for under, one in sorted(inner.items()) if inner else [("", command)]:
            yield f"{name} {under}".strip(), (one.help or "").partition("\n")[0]


def commands_table() -> str:
    """One row for each command, from the command line itself."""
    rows = [f"| `evidock {name}` | {first} |" for name, first in every_command()]
    return "\n".join(["| command | does |", "|---|---|", *rows])


def with_table(page: str, name: str, table: str) -> str:
    """The page with the table between its marks made anew."""
    begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
    before, _, rest = page.partition(begin)
    return f"{before}{begin}{table}\n{end}{rest.partition(end)[2]}"


TABLES = ((SETTINGS_PAGE, "settings", settings_table), (COMMANDS_PAGE, "commands", commands_table))
ANEW = "run: python -m tests.unit.test_docs"


def first_column(page: str, heading: str) -> set[str]:
    """The names in backquotes in the first column of the table that follows `heading`."""
    table = page.partition(heading)[2].strip("\n").partition("\n\n")[0]
    rows = [row for row in table.splitlines() if row.startswith("|")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])}


def test_every_setting_is_explained() -> None:
    assert text(SETTINGS_PAGE) == with_table(text(SETTINGS_PAGE), "settings", settings_table()), ANEW


def test_every_command_is_listed() -> None:
    assert text(COMMANDS_PAGE) == with_table(text(COMMANDS_PAGE), "commands", commands_table()), ANEW


def test_every_setting_and_command_that_a_page_speaks_of_exists() -> None:
    known = {setting.variable for setting in SETTINGS.values()} | {
        "EVIDOCK_CONFIG",
        "EVIDOCK_LANG",
        "EVIDOCK_REGISTER_OWNER_URL",
    }
    pages = [*DOCS.rglob("*.md"), DOCS.parent / "README.md"]
    assert not {word for page in pages for word in re.findall(r"EVIDOCK_[A-Z_]+", text(page))} - known
    typed = {name.split()[0] for name, _ in every_command()}
    told = {word for page in pages for word in re.findall(r"^(?:\$ )?evidock ([a-z]+)", text(page), re.MULTILINE)}
    assert not told - typed


def test_every_error_code_is_explained() -> None:
    missing = [one.code for one in error_table.error_classes() if f"| `{one.code}` |" not in text(error_table.PAGE)]
    assert not missing


# --- names that the pages must hold -----------------------------------------------------------


def test_every_kind_of_custody_event_has_its_row_and_no_other() -> None:
    assert first_column(text(FORMATS), "### Kinds of events") == KINDS


def test_every_step_has_its_row_and_no_other() -> None:
    assert first_column(text(DESIGN), "| step | writes, in order |") == set(STEPS) | {"arrive"}


def test_every_table_of_the_register_has_its_row_and_no_other() -> None:
    assert first_column(text(DESIGN), "| table | a row is |") == set(metadata.tables)


def test_every_key_of_the_object_store_has_its_row_and_no_other() -> None:
    spelled = re.findall(r"^\| `([^`]+)`", layout.__doc__ or "", re.MULTILINE)
    assert first_column(text(DESIGN), "| key | what | written |") == set(spelled)


def test_every_state_is_named_in_the_design() -> None:
    assert not [state for state in State if f"`{state}`" not in text(DESIGN) and f"{state} " not in text(DESIGN)]


def test_the_figures_of_the_packet_table_are_those_of_the_code() -> None:
    page = text(FORMATS)
    assert f"| records | {RECORD.size} each |" in page
    assert f"| blocks | {BLOCK.size} each |" in page
    assert MAGIC.decode() in page
    assert FORMAT in page
    assert POLICY in page


# --- commands that the pages tell to type -----------------------------------------------------


def block(name: str) -> str:
    """The fenced block of formats.md that is marked to be run under this name."""
    found = re.search(rf"<!-- run: {re.escape(name)} -->\n```\w+\n(.*?)```", text(FORMATS), re.DOTALL)
    assert found, f"formats.md has no block marked {name}"
    return found[1]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An installation with a log of 300 entries, a token over it, and one original with its chunk list."""
    store = DirectoryStore(tmp_path / "objects")
    key = KeyFile.create_or_load(tmp_path / "keys" / "log.pem", ORIGIN)
    log = CustodyLog(store, ORIGIN, signers=[key.signer()], verifiers=[key.verifier()])
    signed = log.publish([b"entry %d" % number for number in range(300)], at=0)
    authority = LocalAuthority.create_or_load(tmp_path / "keys" / "tsa", now=NOW)
    told = "".join(f"{line}\n" for line in signed.note.splitlines()[:3]).encode()
    imprint = sha256(told)
    token = authority.stamp(imprint, NOW)
    store.put_bytes_once(layout.token_key(300, authority.name, sha256(token).hex()), token)
    data = bytes(range(256)) * 2000
    store.put_bytes_once(layout.original_key(sha256(data).hex()), data)
    store.put_bytes_once(layout.chunks_key(sha256(data).hex()), chunk_tree_of([data]).leaves)
    (tmp_path / "vkey").write_text(key.verifier_key.to_text())
    (tmp_path / "original").write_text(layout.original_key(sha256(data).hex()))
    return tmp_path


def typed(home: Path, *names: str) -> str:
    """What the blocks print when they are typed in the object store of `home`, with its own names put in."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl program")
    script = "\n".join(block(name) for name in names)
    script = script.replace("015", "300")
    script = re.sub(r"^O=\S+", f"O={(home / 'original').read_text()}", script, flags=re.MULTILINE)
    key = (home / "vkey").read_text()
    done = subprocess.run(
        ["/bin/sh", "-euc", f"LOG_KEY='{key}' RECORDS_KEY='{key}'\n{script}"],
        cwd=home / "objects",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_signed_note_is_checked_by_openssl_as_written(home: Path) -> None:
    assert "Signature Verified Successfully" in typed(home, "key", "note")


def test_a_time_token_is_checked_by_openssl_as_written(home: Path) -> None:
    assert typed(home, "key", "note", "token").count("Signature Verified Successfully") == 2


def test_a_chunk_is_found_in_its_list_as_written(home: Path) -> None:
    computed, listed = typed(home, "chunk").split("\n")[:2]
    assert computed.split()[0] == listed


def test_the_root_of_the_log_is_recomputed_by_plain_python_as_written(home: Path) -> None:
    program = home / "objects" / "logroot.py"
    program.write_text(block("logroot.py"))
    done = subprocess.run(
        [sys.executable, "-I", str(program), str(home / "objects" / "log")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == f"{ORIGIN} 300 True\n"


if __name__ == "__main__":
    for page, name, table in TABLES:
        page.write_text(with_table(text(page), name, table()), "utf-8")
