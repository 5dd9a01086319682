# SPDX-License-Identifier: Apache-2.0
"""This is where a service, or whoever runs it, lies to the store: lists, names, versions, locks, ways elsewhere."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from evidence.errors import BadInput, NotProtected, StoreUnavailable
from storage.layout import CHECKPOINT_KEY
from storage.s3 import client as s3_client
from storage.s3.address import S3Address
from storage.s3.client import Patience
from storage.s3.probe import probe
from storage.s3.store import S3Store
from tests.contract.object_store import KEY, soon
from tests.support.lying_service import (
    Asked,
    Liar,
    Lie,
    error,
    listed,
    listed_uploads,
    listed_versions,
    lying,
    versioning,
)
from tests.support.s3 import use_credentials

QUICK = Patience(total_s=0.5, tries=1, longest_pause_s=0.1, connect_s=1.0, read_s=1.0)
LATER = timedelta(days=2)


def store_at(liar: Liar, folder: Path, *, lock: str = "none") -> S3Store:
    use_credentials()
    address = S3Address.parse(f"s3://bucket/ours?endpoint={liar.endpoint}&lock={lock}")
    return S3Store(address, journal=folder / "uploads", patience=QUICK)


def saying(status: str | None = None, **answers: Callable[[Asked], Lie]) -> Callable[[Asked], Lie]:
    """Answers by what is asked; `_` in a name stands for `-`, and `plain` for objects themselves."""
    named = {name.replace("_", "-"): answer for name, answer in answers.items()}

    def say(asked: Asked) -> Lie:
        if asked.what == "versioning":
            return versioning(status)
        answer = named.get(asked.what or "plain")
        return Lie() if answer is None else answer(asked)

    return say


# --- lists ------------------------------------------------------------------------------------------


def test_uploads_of_others_are_not_ended_when_a_service_does_not_know_prefixes(tmp_path: Path) -> None:
    found = [("theirs/a", "1"), ("ours-too/a", "2"), ("ours/a", "3")]
    with lying(saying(uploads=lambda _: listed_uploads(*found))) as liar:
        store_at(liar, tmp_path).sweep(now=datetime.now(UTC) + LATER)
    assert liar.did("DELETE") == ["/bucket/ours/a"]


def test_the_probe_removes_nothing_but_its_trials_when_a_service_does_not_know_prefixes(tmp_path: Path) -> None:
    found = [("theirs/a", "1"), ("ours/originals/a", "2"), ("ours/.probe/x", "3")]
    with lying(saying("Enabled", versions=lambda _: listed_versions(*found))) as liar:
        probe(store_at(liar, tmp_path).address, now=datetime.now(UTC), patience=QUICK)
    assert set(liar.did("DELETE")) == {"/bucket/ours/.probe/x"}


@pytest.mark.parametrize("lock", ["none", "compliance"])
def test_a_service_whose_answers_say_nothing_is_told_by_the_probe_and_by_the_store(lock: str, tmp_path: Path) -> None:
    with lying(lambda _: Lie()) as liar:
        store = store_at(liar, tmp_path, lock=lock)
        found = probe(store.address, now=datetime.now(UTC), patience=QUICK)
        assert any(one.is_trouble for one in found)
        for ask in (lambda: store.size(CHECKPOINT_KEY), lambda: store.measure(CHECKPOINT_KEY)):
            with pytest.raises(StoreUnavailable):
                ask()


@pytest.mark.parametrize("status", [None, "Enabled"])
def test_names_outside_our_prefix_are_not_taken_for_keys(status: str | None, tmp_path: Path) -> None:
    names = ["another/a", "ours/b", "ours-too/c", "ourselves", "zebra"]
    say = saying(
        status, list_type=lambda _: listed(*names), versions=lambda _: listed_versions(*[(name, "1") for name in names])
    )
    with lying(say) as liar:
        assert list(store_at(liar, tmp_path).keys()) == ["b"]


@pytest.mark.parametrize("status", [None, "Enabled"])
@pytest.mark.parametrize("order", [["a", "b", "a"], ["a", "c", "b"], ["a", "a", "a"]], ids=["again", "mixed", "twice"])
def test_a_key_is_not_listed_twice_because_a_service_repeats_itself(
    status: str | None, order: list[str], tmp_path: Path
) -> None:
    at = iter(order)

    def page(make: Callable[..., Lie], entry: Callable[[str], object]) -> Lie:
        name = next(at, None)
        return make() if name is None else make(entry(name), more=f"{name}{id(name)}{len(liar.asked)}")

    say = saying(
        status,
        list_type=lambda _: page(listed, lambda name: f"ours/{name}"),
        versions=lambda _: page(listed_versions, lambda name: (f"ours/{name}", "1")),
    )
    with lying(say) as liar:
        keys: list[str] = []
        if order == ["a", "a", "a"] and status:
            # One object with three versions, on three pages.
            assert list(store_at(liar, tmp_path).keys()) == ["a"]
            return
        with pytest.raises(StoreUnavailable, match="cannot be relied on"):
            keys.extend(store_at(liar, tmp_path).keys())


ENDLESS = {
    "same-mark": lambda _: "same",
    "two-marks": lambda number: "ab"[number % 2],
    "ever-new-marks": str,
}


@pytest.mark.parametrize("status", [None, "Enabled"])
@pytest.mark.parametrize("mark", ENDLESS.values(), ids=ENDLESS)
def test_a_list_that_never_ends_is_given_up(
    status: str | None, mark: Callable[[int], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.s3.listing._MOST_EMPTY", 20)
    numbers = count()
    say = saying(
        status,
        list_type=lambda _: listed(more=mark(next(numbers))),
        versions=lambda _: listed_versions(more=mark(next(numbers))),
        uploads=lambda _: listed_uploads(more=mark(next(numbers))),
    )
    with lying(say) as liar:
        store = store_at(liar, tmp_path)
        for ask in (lambda: list(store.keys()), lambda: store.sweep(now=datetime.now(UTC))):
            with pytest.raises(StoreUnavailable, match="nor end"):
                ask()
        if status:
            for ask in (lambda: store.exists(KEY), lambda: list(store.strays())):
                with pytest.raises(StoreUnavailable, match="nor end"):
                    ask()
    assert len(liar.asked) < 200


def test_a_list_that_says_there_is_more_and_not_where_is_given_up(tmp_path: Path) -> None:
    more = Lie("<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>")
    with lying(saying(list_type=lambda _: more)) as liar, pytest.raises(StoreUnavailable, match="nor end"):
        list(store_at(liar, tmp_path).keys())


# --- what is not there --------------------------------------------------------------------------------


def test_a_bucket_that_has_gone_is_no_pointer_that_never_was(tmp_path: Path) -> None:
    # The answer to HEAD is a bare 404 for both; taken for the second, a log would be begun anew.
    with lying(lambda _: error("NoSuchBucket", 404)) as liar, pytest.raises(StoreUnavailable, match="make it"):
        store_at(liar, tmp_path).exists(CHECKPOINT_KEY)


def test_a_pointer_that_never_was_is_absent(tmp_path: Path) -> None:
    with lying(saying(plain=lambda _: error("NoSuchKey", 404))) as liar:
        assert not store_at(liar, tmp_path).exists(CHECKPOINT_KEY)


# --- locks --------------------------------------------------------------------------------------------


def test_the_lock_of_another_version_is_not_taken_for_this_ones(tmp_path: Path) -> None:
    until = soon(3600)
    head = {
        "x-amz-version-id": "newest",
        "x-amz-object-lock-mode": "COMPLIANCE",
        "x-amz-object-lock-retain-until-date": (until + timedelta(days=9)).isoformat(),
    }
    say = saying(
        "Enabled",
        versions=lambda _: listed_versions((f"ours/{KEY}", "first")),
        object_lock=lambda _: Lie(
            "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>"
        ),
        plain=lambda _: Lie(headers=head),
    )
    with lying(say) as liar, pytest.raises(NotProtected, match="version first"):
        store_at(liar, tmp_path, lock="compliance").protect(KEY, until=until)


# --- elsewhere ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_service_that_sends_us_elsewhere_is_not_followed_there(status: int, tmp_path: Path) -> None:
    with lying(lambda _: Lie()) as elsewhere:
        away = {"Location": f"{elsewhere.endpoint}/bucket/x", "x-amz-bucket-region": "eu-central-1"}
        with lying(lambda _: error("PermanentRedirect", status, **away)) as liar, pytest.raises(StoreUnavailable):
            store_at(liar, tmp_path).exists(KEY)
    assert elsewhere.asked == []


# --- settings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "s3://[bad",
        "s3://b]x/",
        "s3://my..bucket",
        "s3://bucket?endpoint=http://two words:1",
        "s3://bucket?endpoint=http://under_score:1",
        "s3://bucket?endpoint=http://%00:1",
        "s3://bucket?region=-x-",
    ],
)
def test_an_address_that_boto_would_fail_at_is_told_when_it_is_read(url: str) -> None:
    with pytest.raises(BadInput):
        S3Address.parse(url)


@pytest.mark.parametrize("name", ["AWS_PROFILE", "AWS_CONFIG_FILE"])
def test_settings_of_boto_that_cannot_be_used_are_told_in_our_words(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken"
    broken.write_text("garbage [[[\n=\n")
    with lying(saying()) as liar:
        store = store_at(liar, tmp_path)
        monkeypatch.setenv(name, str(broken))
        s3_client._session.cache_clear()
        try:
            with pytest.raises(StoreUnavailable, match="settings"):
                store.exists(KEY)
        finally:
            s3_client._session.cache_clear()
