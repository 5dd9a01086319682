# SPDX-License-Identifier: Apache-2.0
"""This is where the rules of the house that no linter knows are held; `make check` runs it by itself."""

import ast
import re
import subprocess
from functools import cache
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path

import pytest

from evidence.errors import EvidockError
from tests.support import error_table

ROOT = Path(__file__).parents[2]
SHIPPED = ("evidence", "storage", "pipeline", "devices", "workers", "web", "app")
OURS = (*SHIPPED, "deploy", "tests", "bench")
LOCKS = (
    "requirements.lock",
    "requirements-dev.lock",
    "deploy/bootstrap/uv-requirements.txt",
    "deploy/bootstrap/node-requirements.txt",
    "deploy/lint/tools.txt",
)
NAMELESS = {"utils", "util", "helpers", "common", "base", "misc"}

# Built from parts, so that this file does not hold what it looks for.
HOSTS = ["pypi" + ".org", "python" + "hosted", "debian" + ".org", "npmjs" + ".org", "mirrors" + ".aliyun"]
WORKPLACE = [r"(?<![\w.])/" + "work/", "/opt/" + "wheels"]


@cache
def files() -> list[Path]:
    """Every file of the project, tracked or about to be, as git sees it; all that is there without git."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        done = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True, text=True)
        names = done.stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        names = [str(path.relative_to(ROOT)) for top in OURS for path in (ROOT / top).rglob("*.py")]
    return sorted({path for name in names if name and (path := ROOT / name).is_file()})


def modules(*tops: str) -> list[Path]:
    """The Python files below these top folders."""
    return [path for path in files() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in tops]


def named(paths: list[Path]) -> list[str]:
    """Paths as a person would type them."""
    return [str(path.relative_to(ROOT)) for path in paths]


def docstring(path: Path) -> str:
    """The docstring of a module, empty when it has none."""
    return ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a module."""
    tree = ast.parse(path.read_text("utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_every_module_begins_with_its_licence() -> None:
    first = "# SPDX-License-Identifier: Apache-2.0"
    assert not named([path for path in modules(*OURS) if not path.read_text("utf-8").startswith(first)])


def test_every_module_says_what_it_is_where() -> None:
    shipped = [path for path in modules(*SHIPPED, "deploy", "bench") if "migrations" not in path.parts]
    assert not named([path for path in shipped if not docstring(path).startswith("This is where ")])
    assert not named([path for path in modules("tests") if not docstring(path)])


def test_every_folder_of_modules_is_a_package_that_explains_itself() -> None:
    folders = {path.parent for path in modules(*OURS)}
    assert not named([folder for folder in sorted(folders) if not (folder / "__init__.py").is_file()])


def test_no_module_is_longer_than_three_hundred_lines() -> None:
    shipped = modules(*SHIPPED, "deploy", "bench")
    assert not named([path for path in shipped if len(path.read_text("utf-8").splitlines()) > 300])


def test_no_function_is_longer_than_sixty_lines() -> None:
    shipped = modules(*SHIPPED, "deploy", "bench")
    long = [
        f"{path.relative_to(ROOT)}:{one.lineno} {one.name}"
        for path in shipped
        if "migrations" not in path.parts  # tables as they were on one day: a list, never edited again
        for one in functions(path)
        if (one.end_lineno or one.lineno) - one.lineno >= 60
    ]
    assert not long


def test_no_module_is_named_for_nothing() -> None:
    assert not named([path for path in modules(*OURS) if {path.stem, path.parent.name} & NAMELESS])


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_digests_and_no_place(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8")
    pins = re.findall(r"^[a-z0-9._\[\]-]+==.*?(?=^[a-z]|\Z)", text, re.MULTILINE | re.DOTALL)
    assert pins
    assert "://" not in text
    assert not [pin.splitlines()[0] for pin in pins if "--hash=sha256:" not in pin]


def test_tests_run_against_the_versions_that_are_shipped() -> None:
    run, dev = (set(re.findall(r"^\S+==\S+", (ROOT / lock).read_text("utf-8"), re.MULTILINE)) for lock in LOCKS[:2])
    assert run
    assert not run - dev


@pytest.mark.parametrize("pattern", [*map(re.escape, HOSTS), *WORKPLACE])
def test_nothing_names_a_package_host_or_a_machine(pattern: str) -> None:
    looks_for = re.compile(pattern.encode(), re.IGNORECASE)
    assert not named([path for path in files() if looks_for.search(path.read_bytes())])


@pytest.mark.parametrize("name", [*OURS, "web"])
def test_no_other_distribution_claims_our_import_names(name: str) -> None:
    assert set(packages_distributions().get(name, [])) <= {"evidock"}


@pytest.mark.parametrize("name", OURS)
def test_our_packages_come_from_this_checkout(name: str) -> None:
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin == str(ROOT / name / "__init__.py")


def test_error_codes_are_told_apart() -> None:
    codes = [error.code for error in error_table.error_classes()]
    assert len(codes) == len(set(codes))
    assert EvidockError.code not in codes


def test_error_codes_are_spelled_for_scripts() -> None:
    assert not [e.code for e in error_table.error_classes() if not re.fullmatch(r"[a-z]+(-[a-z]+)*", e.code)]


def test_every_error_is_in_the_documentation() -> None:
    page = error_table.PAGE.read_text("utf-8")
    assert page == error_table.page_with_table(page), "run: make docs"


def pages() -> list[Path]:
    """The pages that people read."""
    return [path for path in files() if path.suffix == ".md"]


def test_links_between_pages_lead_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in pages()
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text("utf-8"))
        if "://" not in link and not link.startswith("mailto:") and not (page.parent / link).exists()
    ]
    assert not broken


def test_every_make_command_in_the_pages_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    told = {word for page in pages() for word in re.findall(r"`make ([a-z]+)", page.read_text("utf-8"))}
    assert "demo" in targets
    assert not told - targets


def test_continuous_integration_runs_the_gates_and_then_the_tests() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert re.findall(r"^make (\w+)", script, re.MULTILINE) == ["check", "test"]
