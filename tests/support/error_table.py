# SPDX-License-Identifier: Apache-2.0
"""This is where the table of docs/errors.md is made from the classes; `make docs` writes it."""

from pathlib import Path

from evidence import errors
from evidence.errors import EvidockError, IntegrityError, Refused, Unacceptable, Unavailable

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
FAMILIES = (IntegrityError, Unacceptable, Unavailable, Refused)
HEAD = "| code | family | exit status | meaning |\n|---|---|---|---|\n"


def error_classes() -> list[type[EvidockError]]:
    """Every error of ours, the families first in their own group, in the order of the source."""
    found = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, EvidockError)]
    return [one for family in FAMILIES for one in found if issubclass(one, family)]


def row(error: type[EvidockError]) -> str:
    """One line of the table; the meaning is the class's own first sentence."""
    family = next(one for one in FAMILIES if issubclass(error, one))
    meaning = " ".join((error.__doc__ or "").split("\n\n")[0].split())
    return f"| `{error.code}` | {family.__name__} | {error.exit_status} | {meaning} |\n"


def table() -> str:
    """The whole table."""
    return HEAD + "".join(row(error) for error in error_classes())


def page_with_table(page: str) -> str:
    """The page with its table made anew; the words before and after it stay."""
    before, _, rest = page.partition(HEAD)
    after = rest[rest.index("\n\n") + 1 :] if "\n\n" in rest else ""
    return before + table() + after


if __name__ == "__main__":
    PAGE.write_text(page_with_table(PAGE.read_text("utf-8")), "utf-8")
