# SPDX-License-Identifier: Apache-2.0
"""This is where a process puts one file into a bucket, and prints the seconds that took.

python -m tests.support.timed_upload URL SOURCE KEY JOURNAL
"""

import hashlib
import sys
import time
from pathlib import Path

from evidence.digest import Digest
from storage.s3.address import S3Address
from storage.s3.store import S3Store


def main() -> None:
    url, source, key, journal = sys.argv[1:]
    store = S3Store(S3Address.parse(url), journal=Path(journal))
    data = Path(source).read_bytes()
    digest = Digest(hashlib.sha256(data).digest(), len(data))
    store.exists(key)  # what is made once, connections and their like, is not counted
    began = time.monotonic()
    store.put_once(key, Path(source), digest=digest)
    print(f"{time.monotonic() - began:.3f}")


if __name__ == "__main__":
    main()
