# SPDX-License-Identifier: Apache-2.0
"""This is where cases are handed out: what a pack holds, what is left when one is not made, and how others check it."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app import clocks
from evidence.errors import BadInput, DiskLow, FixityMismatch, InUse, NotFound, StoreUnavailable
from pipeline import audit
from pipeline.export import export_case
from pipeline.pack import draft, names
from pipeline.pack.check import check_pack
from pipeline.pack.draft import drafted
from pipeline.pack.plan import What
from pipeline.ports import Ports
from storage import layout
from storage.register import export_rows, search
from tests.support.homes import write
from tests.support.packs import CASE, Hall, make_hall

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Hall:
    return make_hall(tmp_path_factory.mktemp("packs"))


@pytest.fixture
def ports(hall: Hall) -> Iterator[Ports]:
    with hall.home.ports() as opened:
        yield opened


def evidock(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app", *arguments, "--home", str(home)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)


def exports(ports: Ports) -> list[dict[str, Any]]:
    with ports.register.view() as connection:
        return [dict(row) for row in export_rows.exports_page(connection, limit=None, after=None).rows]


# --- what is in it ----------------------------------------------------------------------------


def test_a_pack_holds_each_original_byte_for_byte(hall: Hall, tmp_path: Path) -> None:
    pack = hall.copy(tmp_path / "pack")
    for one in pack.index()["recordings"]:
        (original,) = one["originals"]
        rests = hall.home.objects / layout.original_key(original["sha256"])
        assert (pack.folder / original["file"]).read_bytes() == rests.read_bytes()


def test_a_pack_of_clips_holds_no_whole_film_but_photos_whole(hall: Hall, tmp_path: Path) -> None:
    pack = hall.copy(tmp_path / "pack", What.CLIPS)
    given = {one["kind"]: (one["originals"][0]["file"], len(one["clips"])) for one in pack.index()["recordings"]}
    assert given["video"] == (None, 1)
    assert given["photo"][0] is not None
    assert given["photo"][1] == 0


def test_no_name_in_a_pack_comes_from_a_camera(hall: Hall, tmp_path: Path) -> None:
    assert all(names.is_name(name) for name in hall.copy(tmp_path / "pack").all_files())


def test_what_was_handed_over_is_on_record(hall: Hall, ports: Ports) -> None:
    for row in exports(ports)[:2]:
        folder = hall.folders[What(json.loads(row["wanted"])["what"])]
        told = json.loads((folder / names.NOTE).read_text().split("\n")[1])
        assert (row["manifest_sha256"], row["id"]) == (told["manifest_sha256"], told["export"])
        size_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        assert (row["size_bytes"], row["approval"], row["problem_code"]) == (size_bytes, None, None)


def test_the_same_case_handed_out_twice_has_the_same_footage_and_records(ports: Ports, tmp_path: Path) -> None:
    def files(name: str) -> dict[str, bytes]:
        export_case(CASE, What.ORIGINALS, tmp_path / name, ports=ports, now=clocks.now)
        manifest = (tmp_path / name / names.MANIFEST).read_text().splitlines()
        assert manifest == sorted(manifest, key=lambda line: line.split("  ")[1])
        return {line.split("  ")[1]: line.split("  ")[0].encode() for line in manifest}

    one, other = files("one"), files("other")
    same = {name for name in one if name in other and one[name] == other[name]}
    assert {name for name in one if "originals/" in name or ("/recording/" in name and "note" in name)} <= same


# --- checked by others ------------------------------------------------------------------------


def test_sha256sum_accepts_the_manifests_as_they_are(hall: Hall) -> None:
    for name in (names.MANIFEST, names.TAG_MANIFEST):
        assert run(["sha256sum", "--quiet", "-c", name], hall) == ""


SCRIPT = re.compile(r"  python3 -I - <<'END'\n(.*?)\nEND\n", re.DOTALL)


def readme(language: str) -> str:
    return (REPOSITORY / "pipeline" / "data" / f"pack-readme.{language}.txt").read_text("utf-8")


def commands(language: str) -> str:
    """What of a README can be typed as it stands: its indented lines, but for keys and names to be filled in."""
    lines = [line[2:] for line in SCRIPT.sub("", readme(language)).splitlines() if line.startswith("  ")]
    fit = [re.sub(r" {4,}[(（].*", "", line) for line in lines]
    typed = [line for line in fit if not re.match(r"data/|pack.note|LOG_KEY|RECORDS_KEY|evidock|.*SIZE", line)]
    return "\n".join(typed)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl program")
@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_the_commands_of_the_readme_check_a_pack_as_written(hall: Hall, language: str) -> None:
    keys = [key.to_text() for key in (hall.home.keys().log.verifier_key, hall.home.keys().records.verifier_key)]
    typed = f"LOG_KEY='{keys[0]}' RECORDS_KEY='{keys[1]}'\n{commands(language)}"
    done = run(["/bin/sh", "-euc", typed], hall)
    assert "FAILED" not in done
    assert done.count("Signature Verified Successfully") > 30


def test_the_program_of_the_readme_places_every_record_in_the_log(hall: Hall) -> None:
    script = SCRIPT.search(readme("en"))
    assert script is not None
    placed = run([sys.executable, "-I", "-c", script[1]], hall).splitlines()
    assert len(placed) > 30
    assert all(line.endswith(" True") for line in placed)


def run(command: list[str], hall: Hall) -> str:
    folder = hall.folders[What.ORIGINALS]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_command_line_hands_out_and_checks_a_pack(hall: Hall, tmp_path: Path) -> None:
    pack, keys = tmp_path / "pack", tmp_path / "agency.keys"
    done = evidock("export", "--case", CASE, "-o", str(pack), "--json", home=hall.home.path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["folder"] == str(pack)
    keys.write_text("\n".join(json.loads(evidock("log", "keys", "--json", home=hall.home.path).stdout)["keys"]))
    command = [sys.executable, "-m", "app", "verify", str(pack), "--keys", str(keys), "--json"]
    checked = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert (checked.returncode, json.loads(checked.stdout)["verdict"]) == (0, "proven")


# --- what cannot be made ----------------------------------------------------------------------


def test_nothing_is_written_over(ports: Ports, tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    before = len(exports(ports))
    with pytest.raises(BadInput, match="is there already"):
        export_case(CASE, What.ORIGINALS, tmp_path / "pack", ports=ports, now=clocks.now)
    assert list((tmp_path / "pack").iterdir()) == []
    assert len(exports(ports)) == before


def test_a_case_that_is_not_there_leaves_nothing(ports: Ports, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        export_case("2026-999", What.ORIGINALS, tmp_path / "pack", ports=ports, now=clocks.now)
    assert list(tmp_path.iterdir()) == []


def test_footage_that_was_altered_at_rest_makes_no_pack(hall: Hall, tmp_path: Path) -> None:
    other = make_copy(hall, tmp_path / "home")
    key = layout.original_key(other.sha256("bframes"))
    write(other, key, (other.objects / key).read_bytes()[:-1] + b"?")
    with other.ports() as ports:
        with pytest.raises(FixityMismatch, match="other bytes than were sealed"):
            export_case(CASE, What.ORIGINALS, tmp_path / "pack", ports=ports, now=clocks.now)
        assert exports(ports)[-1]["problem_code"] == "fixity-mismatch"
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def make_copy(hall: Hall, into: Path) -> Any:
    shutil.copytree(hall.home.path, into)
    return type(hall.home)(into, hall.home.recordings)


def test_two_exports_into_one_folder_do_not_meet(ports: Ports, tmp_path: Path) -> None:
    with drafted(tmp_path / "pack") as folder:
        (folder / "begun").write_text("")
        with pytest.raises(InUse):
            export_case(CASE, What.ORIGINALS, tmp_path / "pack", ports=ports, now=clocks.now)
        assert (folder / "begun").exists()


def test_too_little_room_is_told_before_anything_is_copied(
    ports: Ports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draft, "_MARGIN", 1 << 60)
    with pytest.raises(DiskLow, match="the pack takes up to"):
        export_case(CASE, What.ORIGINALS, tmp_path / "pack", ports=ports, now=clocks.now)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_is_told_and_nothing_is_left(hall: Hall, tmp_path: Path) -> None:
    # The kernel's limit on the size of files stands for a disk that has no more room.
    program = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "from app import clocks; from app.settings import load_settings; from app.wiring import wired;"
        "from pipeline.export import export_case; from pipeline.pack.plan import What; from pathlib import Path\n"
        "import pipeline.export as e\n"
        "def limited(*a, **k):\n resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000)); return make(*a, **k)\n"
        "make, e.make = e.make, limited\n"
        "with wired(load_settings({}, home=Path(sys.argv[1])), actor='test') as ports:\n"
        " try: export_case(sys.argv[2], What.ORIGINALS, Path(sys.argv[3]), ports=ports, now=clocks.now)\n"
        " except Exception as error: print(type(error).__name__, error)\n"
    )
    home = make_copy(hall, tmp_path / "home")
    done = subprocess.run(
        [sys.executable, "-c", program, str(home.path), CASE, str(tmp_path / "pack")],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert StoreUnavailable.__name__ in done.stdout, done.stdout + done.stderr
    assert "larger than the system allows" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_a_killed_export_leaves_no_pack_and_the_next_one_is_whole(hall: Hall, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "app", "export", "--case", CASE, "-o", str(tmp_path / "pack")]
    child = subprocess.Popen([*command, "--what", "clips", "--home", str(hall.home.path)], cwd=REPOSITORY)
    begun = tmp_path / ".pack.part" / "data"
    deadline = time.monotonic() + 60
    while not begun.exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    child.kill()
    child.wait()
    assert not (tmp_path / "pack").exists()
    assert begun.exists()
    with hall.home.ports() as ports:
        export_case(CASE, What.ORIGINALS, tmp_path / "pack", ports=ports, now=clocks.now)
        assert check_pack(tmp_path / "pack", trust=audit.trust_of(ports)).verdict.value == "proven"
    assert [path.name for path in tmp_path.iterdir()] == ["pack"]


def test_the_events_of_an_export_are_in_its_stream(ports: Ports) -> None:
    for row in exports(ports):
        with ports.register.view() as connection:
            kinds = [event["kind"] for event in search.events_of(connection, f"export/{row['id']}")]
        assert kinds[0] == "export-asked"
        assert kinds[1:] in ([], ["exported"], ["export-failed"])
        assert os.sep not in row["id"]
