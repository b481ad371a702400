#!/bin/sh
# Prints the tasks that are still paused, or nothing if there are none. cron mails the output. cron
# sets a short PATH and none of your variables, so the crontab sets both:
#   PATH=/opt/nightly/venv/bin:/usr/bin:/bin
#   0 7 * * * set -a; . /etc/taurusdb-starrocks/environment; /usr/local/bin/morning-check.sh 9ac58f9b88744f8a87893d22f6ef9a28in17
exec taurusdb-starrocks check --quiet "$@"
