# SPDX-License-Identifier: Apache-2.0
"""This is where the bootstrap is held to its promises, with a stand-in for uv that notes what it is asked."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from deploy.bootstrap.environment import ensure, level_to_hold, read_stamp
from deploy.bootstrap.installer import Installer, find_installer, is_new_enough
from deploy.bootstrap.surroundings import Stop, pip_settings, surroundings

ROOT = Path(__file__).parents[2]

STAND_IN = """#!/bin/sh
# The words that matter of uv: it makes a folder, and it fails where a file named `fails` asks for it.
here=$(dirname "$0")
echo "$1 $2 $3" >> "$here/asked"
case "$1 $2" in
    --version*) echo "uv 0.13.9" ;;
    venv*)      for last; do :; done; mkdir -p "$last/bin"; : > "$last/bin/python" ;;
    "pip sync") sleep 0.05; [ ! -e "$here/fails" ] ;;
esac
"""


class Checkout:
    """A folder with locks, and a stand-in for uv beside it."""

    def __init__(self, root: Path) -> None:
        self.root = root / "checkout"
        self.tools = root / "tools"
        self.root.mkdir()
        self.tools.mkdir()
        for name in ("requirements.lock", "requirements-dev.lock", "pyproject.toml"):
            (self.root / name).write_text("first")
        (self.tools / "uv").write_text(STAND_IN)
        (self.tools / "uv").chmod(0o755)
        self.env = {"PATH": f"{self.tools}:/usr/bin:/bin"}

    def find(self, env: Mapping[str, str]) -> Installer:
        return Installer((str(self.tools / "uv"),), is_uv=True)

    def ensure(self, level: str) -> list[str]:
        """Ask for a level; what the stand-in was asked to do for it."""
        asked = self.tools / "asked"
        asked.unlink(missing_ok=True)
        ensure(self.root, level, self.find, self.env)
        return [" ".join(line.split()[:2]) for line in asked.read_text().splitlines()] if asked.exists() else []


FROM_NOTHING = ["venv --quiet", "pip sync", "pip install"]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_an_environment_is_made_once(checkout: Checkout) -> None:
    assert checkout.ensure("run") == FROM_NOTHING
    assert checkout.ensure("run") == []


def test_an_environment_grows_in_place_and_is_never_cut_back(checkout: Checkout) -> None:
    checkout.ensure("run")
    assert checkout.ensure("dev") == ["pip sync", "pip install"]
    assert checkout.ensure("run") == []
    assert level_to_hold("run", {"level": "dev"}) == "dev"


def test_a_changed_lock_is_installed_anew(checkout: Checkout) -> None:
    checkout.ensure("run")
    (checkout.root / "requirements.lock").write_text("second")
    assert checkout.ensure("run") == ["pip sync", "pip install"]


def test_a_changed_project_file_needs_no_packages_and_so_no_network(checkout: Checkout) -> None:
    checkout.ensure("run")
    (checkout.root / "pyproject.toml").write_text("second")
    assert checkout.ensure("run") == ["pip install"]


def test_a_moved_checkout_makes_its_environment_anew(checkout: Checkout) -> None:
    checkout.ensure("run")
    checkout.root = checkout.root.rename(checkout.root.with_name("moved here"))
    assert checkout.ensure("run") == FROM_NOTHING


def test_an_environment_without_its_python_is_made_anew(checkout: Checkout) -> None:
    checkout.ensure("run")
    (checkout.root / ".venv" / "bin" / "python").unlink()
    assert checkout.ensure("run") == FROM_NOTHING


def test_an_unfinished_environment_is_never_taken_for_a_whole_one(checkout: Checkout) -> None:
    (checkout.tools / "fails").touch()
    with pytest.raises(Stop, match=r"requirements\.lock could not be installed"):
        checkout.ensure("run")
    assert read_stamp(checkout.root / ".venv")["state"] == "changing"
    (checkout.tools / "fails").unlink()
    assert checkout.ensure("run") == FROM_NOTHING


@pytest.mark.parametrize("stamp", ["", "{", "[]", "null", "\x00"])
def test_a_broken_stamp_only_costs_time(checkout: Checkout, stamp: str) -> None:
    checkout.ensure("run")
    (checkout.root / ".venv" / ".evidock.json").write_text(stamp)
    assert checkout.ensure("run") == FROM_NOTHING


def test_two_at_once_make_one_environment(checkout: Checkout) -> None:
    done: list[bool] = []

    def one() -> None:
        done.append(ensure(checkout.root, "run", checkout.find, checkout.env))

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [False, True]


def test_uv_on_the_path_is_used_and_an_old_one_is_not(checkout: Checkout) -> None:
    assert find_installer(checkout.env).argv == (str(checkout.tools / "uv"),)
    assert not is_new_enough("uv 0.4.30")
    assert not is_new_enough("uv")
    assert not is_new_enough(None)
    assert is_new_enough("uv 1.0.0 (abcdef 2026-01-01)")


def test_a_mirror_and_certificates_set_for_pip_hold_for_uv(tmp_path: Path) -> None:
    settings = tmp_path / ".config" / "pip" / "pip.conf"
    settings.parent.mkdir(parents=True)
    settings.write_text("[global]\nindex-url = mirror\ncert = /bundle.crt\n")
    env = surroundings({"HOME": str(tmp_path)}, pip_settings({"HOME": str(tmp_path)}))
    assert (env["UV_DEFAULT_INDEX"], env["SSL_CERT_FILE"]) == ("mirror", "/bundle.crt")


def test_what_was_set_for_uv_wins_over_what_was_set_for_pip() -> None:
    outer = {
        "UV_DEFAULT_INDEX": "mine",
        "PIP_INDEX_URL": "other",
        "SSL_CERT_FILE": "/mine",
        "PIP_CERT": "/other",
    }
    env = surroundings(outer, {})
    assert (env["UV_DEFAULT_INDEX"], env["SSL_CERT_FILE"]) == ("mine", "/mine")


def test_settings_that_would_install_elsewhere_are_taken_away() -> None:
    env = surroundings({"PIP_TARGET": "/x", "VIRTUAL_ENV": "/y", "PYTHONPATH": "/z", "PIP_USER": "1"}, {})
    assert not {"PIP_TARGET", "VIRTUAL_ENV", "PYTHONPATH"} & env.keys()
    assert env["PIP_USER"] == "0"


def test_an_account_without_a_home_keeps_the_caches_in_the_checkout() -> None:
    assert ".boot" in surroundings({"HOME": "/nonexistent"}, {})["UV_CACHE_DIR"]
    assert "UV_CACHE_DIR" not in surroundings({"HOME": str(Path(sys.prefix))}, {})


def test_a_broken_settings_file_of_pip_is_said_and_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pip.conf").write_text("index-url without a section\n")
    outer = {"HOME": "/nonexistent", "PIP_CONFIG_FILE": str(tmp_path / "pip.conf")}
    assert "index-url" not in pip_settings(outer)
    assert "not a settings file" in capsys.readouterr().err


def copy_of_prepare(tmp_path: Path) -> Path:
    """A checkout that holds only `prepare`, and a second half that says which Python it was given."""
    folder = tmp_path / "deploy" / "bootstrap"
    folder.mkdir(parents=True)
    for package in (folder.parent, folder):
        (package / "__init__.py").touch()  # else the installed project's own `deploy` would be found first
    (folder / "__main__.py").write_text("import sys\nprint('python', *sys.argv[1:])\n")
    return Path(shutil.copy(ROOT / "deploy" / "bootstrap" / "prepare", folder))


def program(path: Path, script: str) -> None:
    """A small shell program."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_a_shim_that_is_there_but_fails_is_passed_over(tmp_path: Path) -> None:
    prepare = copy_of_prepare(tmp_path)
    program(tmp_path / "bin" / "python3", "echo 'command not found' >&2; exit 127")
    program(tmp_path / "bin" / "python3.13", f'echo chosen; exec "{sys.executable}" "$@"')
    env = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}
    done = subprocess.run(["/bin/sh", prepare, "run"], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["chosen", "python run"]


def test_an_old_python_is_refused_in_plain_words(tmp_path: Path) -> None:
    prepare = copy_of_prepare(tmp_path)
    program(tmp_path / "bin" / "old", "exit 1")
    env = {"PATH": "/usr/bin:/bin", "PYTHON": str(tmp_path / "bin" / "old")}
    done = subprocess.run(["/bin/sh", prepare, "run"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "older than 3.11" in done.stderr
