# SPDX-License-Identifier: Apache-2.0
"""What a person writes to name a bucket: what it means, and what is said of it when it cannot be used."""

import pytest

from evidence.errors import BadInput
from storage.s3.address import S3Address


def test_a_whole_address_is_read() -> None:
    address = S3Address.parse(
        "s3://agency-evidence/station/3?endpoint=https%3A%2F%2Fs3.example.org%3A9000&region=cn-north-1&lock=compliance"
    )
    assert address == S3Address(
        "agency-evidence", "station/3/", "https://s3.example.org:9000", "cn-north-1", "compliance"
    )
    assert address.name("log/checkpoint") == "station/3/log/checkpoint"
    assert address.names("log/") == "station/3/log/"


def test_a_bucket_alone_is_enough_and_locks_nothing() -> None:
    assert S3Address.parse("s3://bucket") == S3Address("bucket", "", None, "us-east-1", None)
    assert S3Address.parse("s3://bucket/?lock=none") == S3Address.parse("s3://bucket")


def test_the_class_that_objects_are_kept_in_is_said_with_each() -> None:
    assert S3Address.parse("s3://bucket?class=GLACIER_IR").placing() == {"StorageClass": "GLACIER_IR"}
    assert S3Address.parse("s3://bucket").placing() == {}


def test_an_endpoint_may_be_written_without_quoting() -> None:
    assert S3Address.parse("s3://bucket/a?endpoint=http://127.0.0.1:9000").endpoint == "http://127.0.0.1:9000"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "file:///srv",
        "s3:bucket",
        "s3:///prefix",
        "s3://UPPER/",
        "s3://b",
        "s3://bucket/Prefix",
        "s3://bucket/../up",
        "s3://bucket/a//b",
        "s3://bucket/.hidden",
        "s3://bucket/" + "a" * 201,
        "s3://bucket/a#b",
        "s3://bucket?lock=legal",
        "s3://bucket?class=glacier",
        "s3://bucket?class=A&class=B",
        "s3://bucket?lock=none&lock=compliance",
        "s3://bucket?secret=x",
        "s3://bucket?region=US EAST",
        "s3://bucket?endpoint=ftp://host",
        "s3://bucket?endpoint=host:9000",
        "s3://bucket?endpoint=http://host/path",
        "s3://bucket?endpoint=http://host:port",
        "s3://bucket?endpoint=http://host:99999",
    ],
)
def test_what_names_no_bucket_is_refused_with_what_to_write(url: str) -> None:
    with pytest.raises(BadInput, match=r"cannot be used.*write"):
        S3Address.parse(url)


@pytest.mark.parametrize("url", ["s3://key:hunter2@bucket/a", "s3://bucket?endpoint=http://key:hunter2@host"])
def test_a_password_in_an_address_is_refused_and_never_repeated(url: str) -> None:
    with pytest.raises(BadInput) as refused:
        S3Address.parse(url)
    assert "hunter2" not in str(refused.value)


def test_a_key_that_is_none_names_nothing_in_the_bucket() -> None:
    with pytest.raises(BadInput):
        S3Address.parse("s3://bucket/a").name("../b")
