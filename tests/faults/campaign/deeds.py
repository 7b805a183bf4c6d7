"""What users do: each deed of a step as command lines and tool calls."""

from collections.abc import Callable
from decimal import Decimal
from math import ceil

from tests.faults.campaign.history import Command
from tests.faults.campaign.plan import Step
from tests.faults.campaign.runner import Live, Runner
from tests.faults.campaign.settings import EPICS
from tests.faults.checker import Books

_FAR = {"BUY": "20", "SELL": "40"}
_STOP = {"BUY": "18", "SELL": "44"}
_NOBODY = "006011e7-0001-54c4-0000-000080560043"


def _form(step: Step) -> tuple[str, ...]:
    return ("--json",) if step.json else ()


def _chosen(names: list[str], pick: float) -> str:
    """Return one of what there is, or what nobody has."""
    return sorted(names)[int(pick * len(names))] if names else _NOBODY


def _there(runner: Runner, what: str, pick: float) -> str:
    """Return a deal or a waiting order to be changed; a hand makes one where there is none."""
    if not runner.venue.order("book")[what] and pick < 0.9:
        waiting = {"level": 20, "type": "LIMIT"} if what == "orders" else {}
        path = {"orders": "/workingorders", "positions": "/positions"}[what]
        body = {"epic": "SILVER", "direction": "BUY", "size": 7, **waiting}
        runner.venue.order("hand", method="POST", path=path, body=body)
    return _chosen(list(runner.venue.order("book")[what]), pick)


def _reach(runner: Runner, step: Step) -> set[str]:
    """Return the homes that a halt of this step reaches: all that the same user has."""
    return set(runner.plan.homes) if runner.plan.one_user else {step.home}


def _tidied(runner: Runner, step: Step) -> None:
    """End a halt and settle what is undecided, where the step asks for it."""
    if not step.tidy:
        return
    if step.home in runner.behind:
        runner.accept(step.home)
    if step.home in runner.halted:
        runner.halted -= _reach(runner, step)
        runner.run(step.home, "resume", "resume", "--confirm")
    for pause in (130, 40):
        if runner.doubts(step.home):
            runner.time.move_on(pause)
            runner.run(step.home, "settle", "reconcile", "--json")


def _opened(runner: Runner, step: Step, home: str, *, waiting: bool) -> str:
    """Preview an order and return its id, or nothing where the preview failed."""
    words = ["preview", "SILVER", "--size", step.size, "--json", *_where(runner, step)]
    words += ["--sell"] * (step.side == "SELL") + (["--stop", _STOP[step.side]] if step.stop else [])
    if waiting:
        bid, offer = runner.venue.order("price")
        near = f"{offer - 0.02:.2f}" if step.side == "BUY" else f"{bid + 0.02:.2f}"
        words += ["--at", near if step.near else _FAR[step.side], "--type", "limit"]
    command = runner.run(home, "preview", *words)
    found = str(command.data.get("preview_id") or "")
    if not command.data.get("executable"):
        return ""
    runner.previews[home].append(found)
    return found


def _where(runner: Runner, step: Step) -> tuple[str, ...]:
    return ("--account", runner.accounts[1]) if step.elsewhere else ()


def _beside(runner: Runner, step: Step) -> list[Live]:
    """Start what another process of the same user does at the same time."""
    words = {
        "reconcile": ("reconcile",),
        "close all": ("close", "--all", "--confirm"),
        "flatten": ("flatten", "--confirm"),
        "halt": ("halt",),
        "resume": ("resume", "--confirm"),
        "use account": ("accounts", "use", runner.accounts[step.pick < 0.5], "--confirm"),
    }
    if step.beside in {"flatten", "halt"}:
        runner.halted |= _reach(runner, step)
    return [runner.start(step.home, step.beside, *words[step.beside], "--json")] if step.beside else []


def _signed(runner: Runner, step: Step, home: str, ask: Callable[[], Command]) -> None:
    """Where a person approves every change, have it asked for, and let the person say their word."""
    if not runner.plan.asks:
        return
    code = (ask().error.get("details") or {}).get("approval_code")
    if code and step.word != "nothing":
        runner.sign(home, code, approved=step.word == "yes")


def _execute(runner: Runner, step: Step, tool: str, preview_id: str, rival: str = "") -> None:
    words = ["--confirm", "--again", *_where(runner, step)]
    ensured = ("--ensure-stop",) if step.ensured else ()
    given = {"confirm": True, "again": True} | ({"ensure_stop": True} if step.ensured else {})
    _signed(
        runner,
        step,
        step.home,
        lambda: runner.run(step.home, step.deed, "execute", preview_id, *words, "--json"),
    )
    faults = runner.arm(step)
    with runner.besieged(step.home, faults):
        lives = _beside(runner, step)
        if not step.server or step.copies > 1 or rival:
            lives += [
                runner.start(
                    step.home,
                    step.deed,
                    "execute",
                    preview_id,
                    *words,
                    *ensured,
                    *_form(step),
                    faults=faults,
                )
                for _ in range(step.copies)
            ]
        if rival:
            other = next(home for home in runner.plan.homes if home != step.home)
            lives.append(runner.start(other, step.deed, "execute", rival, "--confirm", "--again", "--json"))
        if step.server:
            runner.call(step.home, step.deed, tool, preview_id=preview_id, **given)
        runner.wait(lives)


def _open(runner: Runner, step: Step, tool: str, *, waiting: bool) -> None:
    _tidied(runner, step)
    preview_id = _opened(runner, step, step.home, waiting=waiting)
    rivals = [home for home in runner.plan.homes if step.rival and home != step.home]
    if preview_id:
        _execute(
            runner, step, tool, preview_id, *(_opened(runner, step, home, waiting=waiting) for home in rivals)
        )


def open_market(runner: Runner, step: Step) -> None:
    _open(runner, step, "cap_trade_execute_position", waiting=False)


def place(runner: Runner, step: Step) -> None:
    _open(runner, step, "cap_trade_execute_working_order", waiting=True)


def again(runner: Runner, step: Step) -> None:
    """Execute what was executed before, or never was."""
    known = runner.previews[step.home]
    if known:
        _execute(runner, step, "cap_trade_execute_position", known[int(step.pick * len(known))])


def _run(runner: Runner, step: Step, *words: str, last: tuple[str, ...] = ()) -> None:
    there = (*words, *_where(runner, step))
    every = (*there, *_form(step), *last)
    _signed(runner, step, step.home, lambda: runner.run(step.home, step.deed, *there, "--json", *last))
    faults = runner.arm(step)
    with runner.besieged(step.home, faults):
        lives = _beside(runner, step)
        lives += [runner.start(step.home, step.deed, *every, faults=faults) for _ in range(step.copies)]
        runner.wait(lives)


def _call(runner: Runner, step: Step, tool: str, **arguments: object) -> Command:
    _signed(runner, step, step.home, lambda: runner.call(step.home, step.deed, tool, **arguments))
    faults = runner.arm(step)
    with runner.besieged(step.home, faults):
        lives = _beside(runner, step)
        command = runner.call(step.home, step.deed, tool, **arguments)
        runner.wait(lives)
        return command


def amend(runner: Runner, step: Step) -> None:
    deal = _there(runner, "positions", step.pick)
    stop = {True: "--no-stop", False: "--stop-distance"}[step.pick > 0.8]
    if step.server:
        _call(runner, step, "cap_trade_positions_amend", deal_id=deal, stop_distance="9", confirm=True)
    else:
        _run(runner, step, "positions", "amend", deal, stop, *(["8"] * (step.pick <= 0.8)), "--confirm")


def breakeven(runner: Runner, step: Step) -> None:
    deal = _there(runner, "positions", step.pick)
    if step.pick < 0.7:
        runner.venue.order("gain", deal=deal)
    _run(runner, step, "positions", "breakeven", deal, "--confirm")


def amend_order(runner: Runner, step: Step) -> None:
    deal = _there(runner, "orders", step.pick)
    _run(runner, step, "orders", "amend", deal, "--at", "19" if step.side == "BUY" else "41", "--confirm")


def update_order(runner: Runner, step: Step) -> None:
    """Over MCP alone: a preview of an update, and its execution."""
    deal = _there(runner, "orders", step.pick)
    level = "19.5" if step.side == "BUY" else "41.5"
    tool = "cap_trade_preview_working_order_update"
    found = runner.call(step.home, "preview", tool, deal_id=deal, level=level).data.get("preview_id")
    if found:
        execute = "cap_trade_execute_working_order_update"
        _call(runner, step, execute, preview_id=found, confirm=True)


def close(runner: Runner, step: Step) -> None:
    deal = _there(runner, "positions", step.pick)
    if step.server:
        _call(runner, step, "cap_trade_positions_close", deal_id=deal, confirm=True)
    else:
        _run(runner, step, "close", deal, "--confirm")


def close_part(runner: Runner, step: Step) -> None:
    deal = _there(runner, "positions", step.pick)
    part = f"{(float(step.size) * 10 - 9) / 10:g}"
    if step.server:
        _call(runner, step, "cap_trade_positions_close", deal_id=deal, size=part, confirm=True)
    else:
        share = _share(runner, deal, part) if step.near else part
        _run(runner, step, "close", deal, "--size", share, "--confirm")


def _share(runner: Runner, deal: str, part: str) -> str:
    """Return a size in percent of a position: rounded down to the market's step it is that size."""
    held = runner.venue.order("book")["positions"].get(deal)
    return f"{ceil(Decimal(part) / Decimal(held['size']) * 10_000) / 100}%" if held else "50%"


def close_all(runner: Runner, step: Step) -> None:
    _run(runner, step, "close", "--all", "--confirm")


def cancel(runner: Runner, step: Step) -> None:
    deal = _there(runner, "orders", step.pick)
    if step.server:
        _call(runner, step, "cap_trade_orders_cancel", deal_id=deal, confirm=True)
    else:
        _run(runner, step, "orders", "cancel", deal, "--confirm")


def cancel_all(runner: Runner, step: Step) -> None:
    _there(runner, "orders", step.pick)
    if step.server:
        _call(runner, step, "cap_trade_orders_cancel", all_orders=True, confirm=True)
    else:
        _run(runner, step, "orders", "cancel", "--all", "--confirm")


def flatten(runner: Runner, step: Step) -> None:
    runner.halted |= _reach(runner, step)
    if step.server:
        _call(runner, step, "cap_trade_flatten", confirm=True)
    else:
        _run(runner, step, "flatten", "--confirm")


def halt(runner: Runner, step: Step) -> None:
    runner.halted |= _reach(runner, step)
    if step.server:
        _call(runner, step, "cap_halt")
    else:
        _run(runner, step, "halt")


def resume(runner: Runner, step: Step) -> None:
    _run(runner, step, "resume", "--confirm")


def reconcile(runner: Runner, step: Step) -> None:
    if step.server:
        _call(runner, step, "cap_trade_reconcile")
    else:
        _run(runner, step, "reconcile", *(["--wait"] * (step.pick < 0.1)))


def resolve(runner: Runner, step: Step) -> None:
    """A person's word on what is open: that it was not placed, or that it became some deal."""
    attempts = Books.read(runner.folder / step.home / "journal.db").attempts
    doubtful = [name for name, row in attempts.items() if row["state"] in {"UNKNOWN", "ABSENT"}]
    name = _chosen(doubtful or list(attempts) or ["a_000000000000"], step.pick)
    if step.near:
        _run(runner, step, "resolve", name, "--not-placed", "--confirm")
    else:
        deal = _there(runner, "positions", step.pick)
        _run(runner, step, "resolve", name, "--landed", deal, "--confirm")


def use_account(runner: Runner, step: Step) -> None:
    """Make an account the active one; with the tool too, which logs in on it."""
    account = runner.accounts[step.pick < 0.5]
    if step.server:
        tool = "cap_session_switch_account" if step.near else "cap_session_login"
        _call(runner, step, tool, account_id=account)
    else:
        _run(runner, step, "accounts", "use", account, "--confirm")


def preferences(runner: Runner, step: Step) -> None:
    """Choose a leverage, or switch hedging."""
    leverage = str((1, 5, 7, 10, 20)[int(step.pick * 5)])
    hedging = step.side == "BUY"
    if step.near and step.server:
        _call(runner, step, "cap_account_preferences_set", hedging_mode=hedging, confirm=True)
    elif step.server:
        chosen = {"COMMODITIES": leverage}
        _call(runner, step, "cap_account_preferences_set", leverages=chosen, confirm=True)
    else:
        chosen = ("--hedging", "on" if hedging else "off") if step.near else ()
        chosen = chosen or ("--leverage", f"COMMODITIES={leverage}")
        _run(runner, step, "accounts", "preferences", *chosen, "--confirm")


def top_up(runner: Runner, step: Step) -> None:
    """Put play money on an account, or take some off: an amount of its own each time."""
    amount = f"{'-' if step.side == 'SELL' else ''}{float(step.size) * 10 + 0.25:g}"
    if step.server:
        _call(runner, step, "cap_account_demo_topup", amount=amount, confirm=True)
    else:
        _run(runner, step, "accounts", "topup", "--confirm", last=("--", amount))


def _list(runner: Runner, step: Step) -> str:
    """Return the id or the name of a watchlist; a hand makes one where there is none."""
    if not runner.venue.order("book")["watchlists"] and step.pick < 0.9:
        body = {"name": "By hand", "epics": ["SILVER", "GOLD"]}
        runner.venue.order("hand", method="POST", path="/watchlists", body=body)
    lists = runner.venue.order("book")["watchlists"]
    chosen = _chosen(list(lists), step.pick)
    return str(lists[chosen]["name"]) if step.near and chosen in lists else chosen


def create_list(runner: Runner, step: Step) -> None:
    name = f"List {step.size}" if step.pick < 0.8 else "By hand"
    if step.server:
        _call(runner, step, "cap_watchlists_create", name=name, confirm=True)
    else:
        _run(runner, step, "watchlists", "create", name, "SILVER", *["NOWHERE"] * step.near)


def _epic(step: Step) -> str:
    return EPICS[int(float(step.size) * 10) % len(EPICS)]


def add_to_list(runner: Runner, step: Step) -> None:
    _change_list(runner, step, "add")


def remove_from_list(runner: Runner, step: Step) -> None:
    _change_list(runner, step, "remove")


def _change_list(runner: Runner, step: Step, verb: str) -> None:
    name, epic = _list(runner, step), _epic(step)
    if step.server:
        _call(runner, step, f"cap_watchlists_{verb}_market", watchlist_id=name, epic=epic, confirm=True)
    else:
        _run(runner, step, "watchlists", verb, name, epic)


def delete_list(runner: Runner, step: Step) -> None:
    name = _list(runner, step)
    if step.server:
        _call(runner, step, "cap_watchlists_delete", watchlist_id=name, confirm=True)
    else:
        _run(runner, step, "watchlists", "delete", name, "--confirm")


DO: dict[str, Callable[[Runner, Step], None]] = {
    "open": open_market,
    "place": place,
    "again": again,
    "amend": amend,
    "breakeven": breakeven,
    "amend order": amend_order,
    "update order": update_order,
    "close": close,
    "close part": close_part,
    "close all": close_all,
    "cancel": cancel,
    "cancel all": cancel_all,
    "flatten": flatten,
    "halt": halt,
    "resume": resume,
    "reconcile": reconcile,
    "resolve": resolve,
    "use account": use_account,
    "preferences": preferences,
    "top up": top_up,
    "create list": create_list,
    "add to list": add_to_list,
    "remove from list": remove_from_list,
    "delete list": delete_list,
}

# What changes anything at the broker, and the deed that does it: commands, and tools.
SENT_BY = {
    "execute": "open",
    "positions amend": "amend",
    "positions breakeven": "breakeven",
    "orders amend": "amend order",
    "orders cancel": "cancel",
    "close": "close",
    "flatten": "flatten",
    "accounts use": "use account",
    "accounts preferences": "preferences",
    "accounts topup": "top up",
    "watchlists create": "create list",
    "watchlists add": "add to list",
    "watchlists remove": "remove from list",
    "watchlists delete": "delete list",
    "cap_trade_execute_position": "open",
    "cap_trade_execute_working_order": "place",
    "cap_trade_execute_working_order_update": "update order",
    "cap_trade_positions_amend": "amend",
    "cap_trade_positions_close": "close",
    "cap_trade_orders_cancel": "cancel",
    "cap_trade_flatten": "flatten",
    "cap_session_login": "use account",
    "cap_session_switch_account": "use account",
    "cap_account_preferences_set": "preferences",
    "cap_account_demo_topup": "top up",
    "cap_watchlists_create": "create list",
    "cap_watchlists_add_market": "add to list",
    "cap_watchlists_remove_market": "remove from list",
    "cap_watchlists_delete": "delete list",
}
