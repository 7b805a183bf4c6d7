"""`capcli watchlists` and the tree of markets, as people and scripts use them."""

import csv
from io import StringIO

from capcli.paper.transport import PaperTransport
from capcli.runtime import Runtime
from tests.support.tap import Tap


def test_a_list_is_made_changed_shown_and_deleted(capcli):
    assert "There are no watchlists" in capcli("watchlists").out
    made = capcli("watchlists", "create", "My metals", "GOLD", "SILVER", "--json").data
    assert made["epics"] == ["GOLD", "SILVER"]
    assert "Added PLATINUM" in capcli("watchlists", "add", "my metals", "PLATINUM").out
    rows = list(csv.DictReader(StringIO(capcli("watchlists", "show", "My metals", "--csv").out)))
    assert [row["epic"] for row in rows] == ["GOLD", "SILVER", "PLATINUM"]
    chosen = capcli("watchlists", "show", made["watchlist_id"], "--csv", "--fields", "epic,bid").out
    assert chosen.startswith("epic,bid\r\nGOLD,")
    assert capcli("watchlists", "remove", "My metals", "GOLD", "--json").data["epics"] == [
        "SILVER",
        "PLATINUM",
    ]
    assert capcli("watchlists", "list", "--csv", "--fields", "name").out == "name\r\nMy metals\r\n"
    assert capcli("watchlists", "delete", "My metals", "--yes").code == 0
    assert capcli("watchlists", "--json").data["watchlists"] == []


def test_deleting_asks_a_person_and_refuses_a_script(capcli):
    capcli("watchlists", "create", "Metals", "GOLD")
    script = capcli("watchlists", "delete", "Metals")
    assert script.code == 5
    assert "capcli watchlists delete Metals --confirm" in script.err
    no = capcli("watchlists", "delete", "Metals", typed="n\n")
    assert no.code == 5
    assert "Delete 'Metals' (GOLD)" in no.err
    assert capcli("watchlists", "delete", "Metals", typed="y\n").code == 0


def test_exit_codes_say_who_refused(capcli):
    capcli("watchlists", "create", "Metals")
    assert capcli("watchlists", "create", "metals").code == 5
    assert capcli("watchlists", "show", "Nothing").code == 6
    assert capcli("watchlists", "remove", "Metals", "GOLD").code == 6
    assert capcli("watchlists", "delete", "../positions/D1", "--confirm").code == 2
    assert capcli("watchlists", "create", "x" * 21).code == 2
    assert capcli("watchlists", "--csv").code == 0
    assert capcli("watchlists", "create", "Metals", "--csv").code == 2


def test_ctrl_c_during_a_change_does_not_claim_that_nothing_was_sent(capcli):
    tap = Tap(PaperTransport(capcli.home / "paper.db", capcli.time.clock))
    runtime = Runtime(
        clock=capcli.time.clock, sleep=capcli.time.sleep, monotonic=capcli.time.monotonic, transport=tap
    )

    def interrupt(request):
        raise KeyboardInterrupt

    tap.breaks("POST", "/watchlists", after=interrupt)
    stopped = capcli("watchlists", "create", "Metals", "--json", runtime=runtime)
    assert (stopped.code, stopped.error["code"]) == (7, "CHANGE_UNPROVED")
    assert capcli("watchlists", "create", "Metals", "--json").error["code"] == "NAME_TAKEN"


def test_the_tree_is_walked_by_name(capcli):
    assert "commodities_group" in capcli("markets", "browse").out
    shown = capcli("markets", "browse", "commodities/metals")
    assert "hierarchy_v1.commodities.metals" in shown.out
    assert "GOLD" in shown.out
    rows = list(csv.DictReader(StringIO(capcli("markets", "browse", "commodities", "--csv").out)))
    assert {"Metals", "Energies"} <= {row["name"] for row in rows}
    assert capcli("markets", "browse", "nothing").code == 6
    assert capcli("markets", "browse", "../positions").code == 2
    assert "Nothing here" in capcli("markets", "browse", "hierarchy_v1.none").out


def test_sentiment_is_shown_for_several(capcli):
    shown = capcli("markets", "sentiment", "SILVER", "GOLD").out
    assert shown.count("%") == 4
    assert capcli("markets", "sentiment", "silver").code == 6
