#!/bin/sh
# Runs a migration while two tasks are paused, for at most two hours.
# Usage: migrate.sh INSTANCE
exec taurusdb-starrocks window "$1" orders_sync billing_sync --max 2h --reason "release 4.2" -- \
    mysql --host taurus.example.com --user dba --password --execute "source migration.sql" orders
