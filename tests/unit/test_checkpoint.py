# SPDX-License-Identifier: Apache-2.0
"""This is where checkpoints are held against the specification's example and against hostile spellings."""

from base64 import b64decode, b64encode

import pytest

from evidence.checkpoint import Checkpoint, parse
from evidence.errors import RecordMalformed
from evidence.merkle import EMPTY_ROOT, MAX_SIZE
from evidence.note import split_note

# From the C2SP tlog-checkpoint specification.
EXAMPLE = """\
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa \
Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
"""
ROOT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
EMPTY = b64encode(EMPTY_ROOT).decode()


def test_the_example_of_the_specification_is_read_and_written_back() -> None:
    text, _ = split_note(EXAMPLE)
    checkpoint = parse(text)
    assert checkpoint == Checkpoint("example.com/behind-the-sofa", 20852163, b64decode(ROOT))
    assert checkpoint.to_text() == text


def test_the_empty_log_has_size_zero_and_the_empty_root() -> None:
    assert parse(f"log\n0\n{EMPTY}\n") == Checkpoint("log", 0, EMPTY_ROOT)


def test_extension_lines_are_refused_unless_asked_for_and_then_kept() -> None:
    text = f"log\n1\n{ROOT}\nmore\nand more\n"
    with pytest.raises(RecordMalformed, match="three lines"):
        parse(text)
    checkpoint = parse(text, allow_extensions=True)
    assert checkpoint.extensions == ("more", "and more")
    assert checkpoint.to_text() == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "log\n",
        "log\n1\n",
        f"log\n1\n{ROOT}",
        f"log\n1\n{ROOT}\n\n",
        f"\n1\n{ROOT}\n",
        f"log\n\n{ROOT}\n",
        f"log\n01\n{ROOT}\n",
        f"log\n00\n{EMPTY}\n",
        f"log\n+1\n{ROOT}\n",
        f"log\n-1\n{ROOT}\n",
        f"log\n1_0\n{ROOT}\n",
        f"log\n 1\n{ROOT}\n",
        f"log\n1.0\n{ROOT}\n",
        f"log\n0x1\n{ROOT}\n",
        f"log\n١\n{ROOT}\n",
        f"log\n{MAX_SIZE + 1}\n{ROOT}\n",
        f"log\n{'9' * 5000}\n{ROOT}\n",
        f"log\r\n1\r\n{ROOT}\r\n",
        f"lo\tg\n1\n{ROOT}\n",
        f"log\n1\n{ROOT[:-1]}\n",
        f"log\n1\n{ROOT[:-2]}J=\n",
        f"log\n1\n{ROOT.replace('/', '_')}\n",
        f"log\n1\n{ROOT} \n",
        f"log\n1\n{b64encode(b'x' * 31).decode()}\n",
        f"log\n1\n{b64encode(b'x' * 33).decode()}\n",
        "log\n1\n例\n",
        f"log\n0\n{ROOT}\n",
    ],
)
def test_a_checkpoint_in_another_form_is_refused(text: str) -> None:
    with pytest.raises(RecordMalformed):
        parse(text)


@pytest.mark.parametrize("text", [f"log\n1\n{ROOT}\n\n", f"log\n1\n{ROOT}\na\n\nb\n", f"log\n1\n{ROOT}\na\rb\n"])
def test_an_extension_line_that_is_empty_or_hides_a_control_character_is_refused(text: str) -> None:
    with pytest.raises(RecordMalformed):
        parse(text, allow_extensions=True)


@pytest.mark.parametrize(
    ("origin", "size", "root"),
    [("", 1, b"x" * 32), ("a\nb", 1, b"x" * 32), ("a", -1, b"x" * 32), ("a", 1, b"x"), ("a", 0, b"x" * 32)],
)
def test_a_checkpoint_no_log_can_have_is_not_made(origin: str, size: int, root: bytes) -> None:
    with pytest.raises(RecordMalformed):
        Checkpoint(origin, size, root)
