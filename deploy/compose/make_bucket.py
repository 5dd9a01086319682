# SPDX-License-Identifier: Apache-2.0
"""This is where the bucket that `EVIDOCK_OBJECTS_URL` names is made, with Object Lock. Safe to repeat.

A bucket that is there already is looked at and left alone: one without Object Lock is refused, because most stores
give the lock at the making of a bucket or never. `evidock doctor` then tests the bucket in full.
"""

import os
import sys
from urllib.parse import parse_qs, urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError


def main(url: str) -> str | None:
    """Make the bucket of this address; None when it is there and locks, else why not, in words."""
    address = urlsplit(url)
    told = {name: values[-1] for name, values in parse_qs(address.query).items()}
    if address.scheme != "s3" or not address.hostname:
        return f"EVIDOCK_OBJECTS_URL is not the address of a bucket: {url!r}"
    client = boto3.client("s3", endpoint_url=told.get("endpoint"), region_name=told.get("region", "us-east-1"))
    try:
        client.create_bucket(Bucket=address.hostname, ObjectLockEnabledForBucket=True)
    except ClientError as error:
        if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
            return f"the bucket cannot be made: {error}"
    except BotoCoreError as error:
        return f"the store does not answer: {error}"
    return unlocked(client, address.hostname)


def unlocked(client: "boto3.client", bucket: str) -> str | None:
    """None when the bucket locks objects, else what is wrong."""
    try:
        answer = client.get_object_lock_configuration(Bucket=bucket)
    except ClientError as error:
        return f"the bucket has no Object Lock; make another one: {error}"
    state = answer.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled")
    return None if state == "Enabled" else "the bucket has no Object Lock; make another one"


if __name__ == "__main__":
    sys.exit(main(os.environ.get("EVIDOCK_OBJECTS_URL", "")))
