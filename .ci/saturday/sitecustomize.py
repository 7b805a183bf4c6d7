"""On PYTHONPATH, every Python process believes that it is a Saturday; sleeping and waiting stay real."""

import datetime as dt

import time_machine

SATURDAY = 5
_now = dt.datetime.now(dt.UTC)
_ahead = (SATURDAY - _now.weekday()) % 7
_start = _now + dt.timedelta(days=_ahead)
time_machine.travel(_start, tick=True).start()
