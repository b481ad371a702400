#!/bin/sh
# Changes a table. On SIGTERM or Ctrl-C, it ends the statement on the server with KILL: if only the
# client ends, MySQL usually finishes an ALTER TABLE. The connection settings are in ~/.my.cnf.
# Usage: taurusdb-starrocks window INSTANCE orders_sync --max 2h --grace 1m -- ./alter.sh
id=$(mktemp)
trap 'rm -f "$id"' EXIT
trap 'mysql --execute "KILL $(head -n 1 "$id")"; exit 1' INT TERM
mysql --unbuffered --skip-column-names orders >"$id" --execute \
    "SELECT CONNECTION_ID(); ALTER TABLE items ADD COLUMN note VARCHAR(200)" &
wait $!
