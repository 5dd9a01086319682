# SPDX-License-Identifier: Apache-2.0
"""This is where it is tried that sentences for people are complete in both languages."""

from pathlib import Path

from app.words import LANGUAGES, language, sentences
from evidence.lifecycle import State
from evidence.verdict import Verdict
from tests.support.error_table import error_classes


def test_every_language_has_the_same_sentences_and_none_is_empty() -> None:
    known = {name: sentences(name) for name in LANGUAGES}

    assert len({frozenset(told) for told in known.values()}) == 1
    assert all(text.strip() for told in known.values() for text in told.values())


def test_every_error_state_and_verdict_has_a_sentence() -> None:
    codes = {f"error.{error.code}" for error in error_classes()}
    codes |= {f"state.{state}" for state in State} | {f"verdict.{verdict}" for verdict in Verdict}

    assert codes <= set(sentences("en"))


def test_a_locale_file_stands_for_each_language_and_no_other() -> None:
    folder = Path(__file__).parents[2] / "app" / "locales"

    assert sorted(path.stem for path in folder.iterdir()) == sorted(LANGUAGES)


def test_the_terminal_decides_the_language_unless_it_is_set() -> None:
    assert language({"LANG": "zh_CN.UTF-8"}) == "zh-CN"
    assert language({"LANG": "en_GB.UTF-8"}) == "en"
    assert language({"LANG": "zh_CN.UTF-8", "EVIDOCK_LANG": "en"}) == "en"
    assert language({}) == "en"
