#!/bin/sh
# Runs a command that resizes an instance, while every task of a StarRocks instance is paused.
# Tasks that were paused before stay so.
# Usage: resize.sh INSTANCE COMMAND...
instance=$1
shift
exec taurusdb-starrocks window "$instance" --all --max 4h --reason "resize" -- "$@"
