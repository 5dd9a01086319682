# SPDX-License-Identifier: Apache-2.0
"""This is where the object store is a bucket of an S3 service: the only home of boto3.

`address` reads the URL; `store` is the engine; `probe` asks a bucket what it really keeps to. boto3 takes long to
import, so nothing here is imported before an `s3://` URL is used.
"""
