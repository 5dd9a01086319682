#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# This is where the passwords of the compose file are made: random, one file each, below ./secrets, and never twice.
# Usage: secrets.sh [FOLDER]
set -eu
folder=${1:-"$(dirname "$0")/secrets"}
if [ -e "$folder/evidock.toml" ]; then
    echo "secrets.sh: $folder is filled already; changing a password there changes none in the engines" >&2
    exit 1
fi
umask 077
mkdir -p "$folder"
# Nobody else of this machine gets in here. The files themselves can be read inside a container by its own user,
# which has another number than yours: Compose hands a file over with the mode that it has.
chmod 700 "$folder"

random() {
    od -An -N 24 -t x1 /dev/urandom | tr -d ' \n'
}

put() {
    printf '%s' "$2" >"$folder/$1"
    chmod 644 "$folder/$1"
}

owner=$(random)
service=$(random)
broker=$(random)
store=$(random)
put register-owner "$owner"
put register-service "$service"
put broker "$broker"
put store-user evidock
put store-password "$store"
put s3-credentials "[default]
aws_access_key_id = evidock
aws_secret_access_key = $store
"
put register-owner-url "postgresql://evidock_owner:$owner@register:5432/evidock"
# Last, so that a half-filled folder is filled again.
put evidock.toml "register_url = \"postgresql://evidock_service:$service@register:5432/evidock\"
broker_url = \"redis://:$broker@broker:6379/0\"
"
echo "secrets.sh: $folder is filled; keep a copy where the keys are kept" >&2
