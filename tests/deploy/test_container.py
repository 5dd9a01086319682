# SPDX-License-Identifier: Apache-2.0
"""This is where the image's description is linted and held to what the program is made of."""

import re
import tomllib

from tests.deploy.tools import DEPLOY, ROOT, must_be_quiet, own_tool

CONTAINERFILE = DEPLOY / "container" / "Containerfile"


def lines() -> list[str]:
    """Instructions of the Containerfile, each on one line."""
    joined = re.sub(r"\\\n\s*", "", CONTAINERFILE.read_text("utf-8"))
    return [line for line in joined.splitlines() if line and not line.startswith("#")]


def copied() -> set[str]:
    """What is copied from the checkout."""
    words = [line.split()[1:-1] for line in lines() if line.startswith("COPY ") and "--from" not in line]
    return {name for copies in words for name in copies}


def test_hadolint_has_nothing_to_say() -> None:
    must_be_quiet(own_tool("hadolint"), CONTAINERFILE)


def test_every_package_of_the_program_is_in_the_image() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    packages = set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    assert copied() == packages | {"LICENSE", "README.md", "pyproject.toml", "requirements.lock"}


def test_the_engine_is_sent_what_the_image_is_made_of_and_nothing_else() -> None:
    ignored = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if not line.startswith("#")]
    assert ignored[0] == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} == copied()


def test_packages_are_installed_by_their_digests_and_never_compiled() -> None:
    installs = [line for line in lines() if "pip install" in line]
    assert ["--require-hashes" in line and "--only-binary :all:" in line for line in installs] == [True, False]
    assert "--no-index --no-deps" in installs[1]


def test_the_process_is_not_root_and_the_base_is_no_moving_tag() -> None:
    last_user = [line for line in lines() if line.startswith("USER ")][-1]
    assert re.fullmatch(r"USER [1-9]\d+:[1-9]\d+", last_user)
    base = next(line for line in lines() if line.startswith("ARG PYTHON_IMAGE="))
    assert re.search(r":\d+\.\d+\.\d+-slim-", base)


def test_no_secret_is_baked_in() -> None:
    assert not [line for line in lines() if re.search(r"(?i)password|secret|token|_URL=", line)]
