"""This computer's clock jumps back: what the broker confirmed stays confirmed."""

import pytest

from capcli.paper.state import set_fault, switches


@pytest.mark.parametrize("late", [None, "8"])
def test_a_confirm_is_there_after_the_clock_was_set_back(client, late):
    switches(client.path, at=client.now, confirm_delay_ms=400)
    if late:
        set_fault(client.path, "confirm-late", at=client.now, value=late)
    sent = client.post("/positions", epic="SILVER", direction="BUY", size=1)
    reference = sent.json["dealReference"]
    assert client.get(f"/confirms/{reference}").status == 404

    client.wait(hours=-3)

    assert client.get(f"/confirms/{reference}").json["dealStatus"] == "ACCEPTED"
    client.wait(hours=3, seconds=9)
    assert client.get(f"/confirms/{reference}").status == 200
