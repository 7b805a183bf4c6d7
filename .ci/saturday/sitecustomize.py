"""On PYTHONPATH, every Python process believes that it is a Saturday; sleeping and waiting stay real."""

import time

import time_machine

SATURDAY = 5
DAY_S = 86_400
# All processes share one Saturday, as they share one clock: some look at the times of others.
LARGEST_SKEW_S = 0.0005
TRIES = 100

_real = time_machine.escape_hatch.time.time
_ahead_s = (SATURDAY - time.gmtime().tm_wday) % 7 * DAY_S
for _ in range(TRIES):
    _journey = time_machine.travel(time.time() + _ahead_s, tick=True)
    _journey.start()
    if abs(time.time() - _real() - _ahead_s) < LARGEST_SKEW_S:
        break
    _journey.stop()
else:
    raise SystemExit("this machine is too busy to agree on a Saturday")
