#!/bin/sh
# Runs a command that resizes an instance while all tasks of a StarRocks instance are paused.
# Tasks that were already paused stay paused.
# Usage: resize.sh INSTANCE COMMAND...
instance=$1
shift
exec taurusdb-starrocks window "$instance" --all --max 4h --reason "resize" -- "$@"
