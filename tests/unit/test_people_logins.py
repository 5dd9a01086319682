# SPDX-License-Identifier: Apache-2.0
"""A login has one spelling, no two are read as one; passwords that are tried first are known without a list of them."""

import itertools

import pytest

from evidence.errors import BadInput
from evidence.people import fold_login, looks_like
from web.signin.tried_first import is_tried_first


@pytest.mark.parametrize(
    ("told", "folded"),
    [
        ("Zhang.Wei", "zhang.wei"),
        ("  li ", "li"),
        ("ＬＩ７", "li7"),
        ("李雷", "李雷"),
        ("K@x.org", "k@x.org"),
        ("ﬁx", "fix"),
    ],
)
def test_spellings_of_a_login_are_one(told: str, folded: str) -> None:
    assert fold_login(told) == folded
    assert fold_login(folded) == folded


@pytest.mark.parametrize(
    "told",
    ["", " ", "a b", "раul", "li\u200bna", "li\u0301", "-li", "li.", "x" * 65, "a\x00b", "ΑΒ", "li\u202ena", "me/you"],
)
def test_what_could_look_like_another_login_is_none(told: str) -> None:
    with pytest.raises(BadInput):
        fold_login(told)


@pytest.mark.parametrize(("one", "other"), [("b0ss", "boss"), ("1i", "li"), ("adm1n", "admin"), ("li.na", "lina")])
def test_logins_that_are_read_as_one_are_found(one: str, other: str) -> None:
    assert looks_like(one, ["someone", other]) == other
    assert looks_like(other, [one]) == one


@pytest.mark.parametrize(("one", "other"), [("lina", "lima"), ("li", "lia"), ("boss", "boss"), ("430407", "430408")])
def test_logins_that_differ_or_are_the_same_are_not(one: str, other: str) -> None:
    assert looks_like(one, [other]) is None


@pytest.mark.parametrize(
    "password",
    [
        "password", "P@ssw0rd!2024", "qwertyuiop", "1q2w3e4r5t6y", "1qaz2wsx3edc4rfv", "iloveyou1314", "woaini5201314",
        "123456789012345", "aaaaaaaaaaaaaaa", "abcabcabcabcabc", "passwordpassword", "Welcome2Admin!!", "zhongguo2024",
        "poiuytrewq", "abcdefghijklmno", "19491001", "evidock123456789", "letmein!letmein",
    ],
)  # fmt: skip
def test_passwords_that_are_tried_first_are_known(password: str) -> None:
    assert is_tried_first(password)


@pytest.mark.parametrize(
    "password",
    ["three quiet herons at noon", "correct horse battery staple", "jH7!kdm2Lq9z", "七只白鹭在黄昏时飞过湖面"],
)
def test_passwords_of_ones_own_are_not(password: str) -> None:
    assert not is_tried_first(password)


def test_what_is_known_of_a_person_is_no_password_of_theirs() -> None:
    assert is_tried_first("lihua-1990-lihua", known=["lihua"])
    assert not is_tried_first("lihua-1990-lihua")


def test_the_rule_knows_more_passwords_than_the_lists_that_are_asked_for() -> None:
    words = ("password", "qwerty", "dragon", "monkey", "iloveyou", "woaini", "admin", "welcome", "summer", "zhongguo")
    ends = ("", "1", "12", "123", "1234", "12345", "2024", "2025", "2026", "!", "!!", "01", "007", "666", "888", "520")
    spelled = [spell for word in words for spell in (word, word.title(), word.upper(), word.replace("o", "0"))]
    tried = {
        before + word + end
        for before in ("", "1", "!", "123", "2024")
        for word, end in itertools.product(spelled, ends)
    }

    assert len(tried) > 3000 * 0.8
    assert [one for one in tried if not is_tried_first(one)] == []
