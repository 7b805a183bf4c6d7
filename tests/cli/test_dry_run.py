"""A dry run on the command line: exit 0, clear words, and the request."""

DRY = {"CAP_DRY_RUN": "true"}


def test_execute_shows_the_request_and_sends_nothing(capcli):
    preview_id = capcli("preview", "SILVER", "--size", "1.5", "-q").out.strip()
    told = capcli("execute", preview_id, "--json", env=DRY)
    assert (told.code, told.json["ok"], told.data["dry_run"]) == (0, True, True)
    assert told.data["requests"] == [
        {
            "method": "POST",
            "path": "/api/v1/positions",
            "body": '{"epic":"SILVER","direction":"BUY","size":1.5}',
        }
    ]
    shown = capcli("execute", preview_id, env=DRY)
    assert "nothing was sent" in shown.out
    assert 'POST /api/v1/positions {"epic":"SILVER","direction":"BUY","size":1.5}' in shown.out
    assert capcli("positions", "--json").data["positions"] == []
    assert capcli("execute", preview_id, "--confirm").code == 0


def test_a_close_is_shown_whatever_fields_were_asked_for(capcli):
    deal = capcli.bought()
    told = capcli("close", deal, "--json", "--fields", "deal_id,level", env=DRY)
    assert (told.code, told.data["requests"][0]["method"]) == (0, "DELETE")
    assert len(capcli("positions", "--json").data["positions"]) == 1


def test_the_line_to_try_again_after_a_dry_run_is_a_dry_run_on_the_same_environment(capcli, tmp_path):
    line = "mcp install claude-desktop --env demo --dry-run --set CAP_MAX_RISK_PCT=1 --json"
    done = capcli(*line.split(), env={"HOME": str(tmp_path)})
    assert done.error["code"] == "CLIENT_MISSING", done
    assert done.error["next"] == f"capcli {line}"
