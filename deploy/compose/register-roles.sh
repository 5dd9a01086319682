#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# This is where the register's service role is made, once, when the database is empty: PostgreSQL's image runs it.
set -eu
# psql reads the password itself, so that no list of processes shows it.
psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\set password `cat "${REGISTER_SERVICE_FILE:-/run/secrets/register-service}"`
CREATE ROLE evidock_service LOGIN PASSWORD :'password';
SQL
