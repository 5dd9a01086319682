# SPDX-License-Identifier: Apache-2.0
"""This is where the columns of published lists are known by name, and the words in them are turned into codes.

Agencies publish nine columns, under names that differ from list to list. The names and words here are vocabulary,
not rules: what they stand for is looked up in the catalog that the table is read against.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from evidence.errors import BadInput
from evidence.term import Term, parse_term

PUBLISHED: Mapping[str, str] = {
    "执法类别": "type",
    "执法事项": "name_zh",
    "记录环节": "link",
    "记录方式": "mode",
    "开始": "start_zh",
    "内容": "capture_zh",
    "结束": "end_zh",
    "存储期限": "retention",
    "备注": "note_zh",
}
"""The nine columns, in their order, and the key of an item that each holds."""

ID_COLUMN = "事项编码"
CODED: Mapping[str, str] = {
    ID_COLUMN: "id",
    "英文名称": "name_en",
    "启用": "enabled",
    "要求程度": "obligation",
    "执法记录类别": "record_class",
    "英文内容": "capture_en",
    "设备": "devices",
    "上传时限": "upload_deadline",
    "永久保存情形": "permanent_if",
    "法制审核": "legal_review",
    "公开": "disclosure",
    "一致性核查": "checks",
    "依据": "basis",
}
"""What the nine columns cannot carry: our own columns."""

LISTS = frozenset({"mode", "devices", "permanent_if", "checks"})
"""Keys of an item that hold several codes."""

_SYNONYMS = {
    "执法类别": ("类别", "执法种类", "执法类型", "行政执法类别"),
    "执法事项": ("事项", "事项名称", "执法事项名称"),
    "记录环节": ("环节", "执法环节", "关键环节"),
    "记录方式": ("方式", "记录形式"),
    "开始": ("记录开始时间", "开始时间", "记录开始", "起始时间"),
    "内容": ("记录内容", "记录事项", "主要内容"),
    "结束": ("记录结束时间", "结束时间", "记录结束", "终止时间"),
    "存储期限": ("保管期限", "保存期限", "存储时间", "保存时间"),
    "备注": ("说明",),
}
_COLUMN_OF = {name: name for name in (*PUBLISHED, *CODED)} | {
    other: name for name, others in _SYNONYMS.items() for other in others
}
_NUMBERING = frozenset({"序号", "编号", "号", "No", "No."})

# Words of published lists, and what the default catalog calls the same.
_LINK_WORDS = {
    "现场检查": ("检查", "日常检查", "现场核查"),
    "随机抽查": ("抽查", "双随机抽查", "双随机"),
    "调查取证": ("调查", "取证", "询问", "调查询问", "询问当事人"),
    "证据保全": ("先行登记保存", "证据先行登记保存", "登记保存"),
    "听证": ("举行听证", "听证会"),
    "行政强制": ("强制", "查封扣押", "强制措施", "强制执行"),
    "送达": ("文书送达", "送达文书", "留置送达", "公告送达", "直接送达"),
    "现场勘察": ("现场勘验", "勘验", "勘察", "现场勘查"),
    "申请受理": ("受理", "申请", "申请与受理"),
    "告知与陈述申辩": ("告知", "陈述申辩", "事先告知"),
    "审查与决定": ("审查", "决定", "审查决定"),
}
_MODE_WORDS = {
    "照相": ("拍照", "照片", "摄影"),
    "录音": ("音频",),
    "录像（关键环节）": ("录像", "摄像", "视频", "录音录像", "摄录"),
    "全过程音像记录": ("全程录像", "全过程录像", "全程音像记录", "全程录音录像", "全过程记录", "全程记录"),
    "视频监控": ("监控", "监控录像", "监控视频"),
}
BETWEEN_WORDS = "、"
"""What we write between Chinese names: no mode's name may hold it."""
_BETWEEN = re.compile(r"[、，,；;/\n+＋]|[和及或]")
_PERIOD = re.compile(r"(?P<number>[0-9]{1,4}|半|[一二两三四五六七八九十百]{1,5})个?(?P<unit>年|月|日|天)")
_DIGITS = {word: number for number, word in enumerate("零一二三四五六七八九")} | {"两": 2}


def column_named(text: str) -> str | None:
    """The column that a header means, whatever list it is from; empty for a running number; None when unknown."""
    name = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))
    for one in (name, re.sub(r"\([^()]*\)$", "", name)):
        if one in _NUMBERING:
            return ""
        if one in _COLUMN_OF:
            return _COLUMN_OF[one]
    return None


def type_code(word: str, body: Mapping[str, Any]) -> str | None:
    """The enforcement type that a word means in this catalog; None when none."""
    return _by_name([word, f"行政{word}"], body["enforcement_types"])


def link_code(word: str, body: Mapping[str, Any]) -> str | None:
    """The link that a word means; None when none."""
    return _by_name([word, *_meant(word, _LINK_WORDS)], body["links"])


def mode_codes(text: str, body: Mapping[str, Any]) -> tuple[list[str], str | None]:
    """The modes that a cell names, and the first of its words that names none."""
    names = {entry["zh"] for entry in body["recording_modes"].values()}
    ours = text.split(BETWEEN_WORDS)
    codes: list[str] = []
    for word in ours if names.issuperset(ours) else filter(None, map(str.strip, _BETWEEN.split(text))):
        code = _by_name([word, *_meant(word, _MODE_WORDS)], body["recording_modes"])
        if code is None:
            return codes, word
        codes.append(code)
    return list(dict.fromkeys(codes)), None


def retention_codes(text: str, body: Mapping[str, Any]) -> list[str]:
    """The retention classes that a cell may mean: by its name, else by its term (二年, 2年, 6个月, 永久, 同案卷)."""
    classes = body["retention_classes"]
    named = _by_name([text], classes)
    if named:
        return [named]
    if "案卷" in text:
        return [code for code, entry in classes.items() if entry.get("period") == "case_file"]
    term = term_in(text)
    if term is None:
        return []
    return [
        code for code, entry in classes.items() if term in (term_in(entry["zh"]), _period(str(entry.get("period"))))
    ]


def term_in(text: str) -> Term | None:
    """The term that Chinese words say: 二年, 2年, 半年, 6个月, 90日, 永久; None when they say none."""
    word = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))
    if word in ("永久", "永久保存", "永久保管"):
        return Term()
    found = _PERIOD.fullmatch(word)
    if found is None:
        return None
    if found["number"] == "半":
        return Term(months=6) if found["unit"] == "年" else None
    number = _number(found["number"])
    if not number:
        return None
    return Term(days=number) if found["unit"] in "日天" else Term(months=number * (12 if found["unit"] == "年" else 1))


def _number(word: str) -> int | None:
    """A number below two hundred in digits or Chinese words; None when it is no such number."""
    if word.isascii():
        return int(word)
    tens, ten, ones = word.partition("十")
    if not ten:
        return _DIGITS.get(word)
    high = _DIGITS.get(tens) if tens else 1
    low = _DIGITS.get(ones) if ones else 0
    return None if high is None or low is None else 10 * high + low


def _period(period: str) -> Term | None:
    try:
        return parse_term(period)
    except BadInput:
        return None  # the case file's


def _meant(word: str, table: Mapping[str, Iterable[str]]) -> list[str]:
    return [name for name, others in table.items() if word in others]


def _by_name(words: Iterable[str], table: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The code of the first of these words that is a Chinese name in `table`, or a code."""
    codes = {code: code for code in table} | {entry["zh"]: code for code, entry in table.items()}
    return next((codes[word] for word in words if word in codes), None)
