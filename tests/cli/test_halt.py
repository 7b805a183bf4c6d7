"""The kill switch on the command line."""


def test_halt_refuses_orders_until_a_resume(capcli):
    preview_id = capcli("preview", "SILVER", "--size", "1", "-q").out.strip()
    halted = capcli("halt", "--reason", "too fast")
    assert (halted.code, "too fast" in halted.out) == (0, True)
    refused = capcli("execute", preview_id, "--confirm", "--json")
    assert (refused.code, refused.error["code"], refused.error["next"]) == (5, "HALTED", "capcli resume")
    assert refused.error["details"]["reason"] == "too fast"
    assert capcli("resume", "--confirm").code == 0
    assert capcli("execute", preview_id, "--confirm").code == 0


def test_resume_needs_a_person_or_confirm(capcli):
    capcli("halt")
    piped = capcli("resume")
    assert (piped.code, "next: capcli resume --confirm" in piped.err) == (5, True)
    asked = capcli("resume", typed="n\n")
    assert asked.code == 5
    assert "halted since" in asked.err
    assert capcli("resume", typed="y\n").code == 0
    again = capcli("resume", "--json")
    assert (again.code, again.data["changed"]) == (0, False)


def test_positions_and_health_say_that_it_is_halted(capcli):
    assert "alted" not in capcli("positions").out
    capcli("halt", "--reason", "lunch")
    assert "lunch. Resume with: capcli resume" in capcli("positions").out
    assert "lunch" in capcli("positions", "--json").data["halt"]
    assert "lunch" in capcli("health", "--only", "halt").out
    account_id = capcli("accounts", "--json").data["accounts"][1]["account_id"]
    assert "lunch" in capcli("accounts", "use", account_id).out


def test_halt_works_while_the_settings_are_wrong(capcli):
    halted = capcli("halt", "--json", env={"CAP_ENV": "nowhere"})
    assert (halted.code, halted.data["halted"], halted.json["env"]) == (0, True, None)
    assert capcli("positions", "--json").data["halt"] is not None
