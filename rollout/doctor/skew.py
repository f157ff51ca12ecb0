"""How far another clock may be from ours."""

from datetime import timedelta

SKEW_WARNS = timedelta(seconds=30)
SKEW_FAILS = timedelta(minutes=2)
SKEW_REMEDY = "set this machine's clock by NTP: timedatectl set-ntp true"
