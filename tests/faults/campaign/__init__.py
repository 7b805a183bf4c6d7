"""A campaign that tries to break the order protocol: `python -m tests.faults.campaign --seed 7`.

`kinds` names what goes wrong, `plan` draws a run from a seed, `venue` is the broker behind a socket with a
proxy's powers, `processes` forks capcli commands, `runner` plays a plan, `oracle` judges what came of it.
"""
