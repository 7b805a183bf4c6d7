"""Every sum that `--explain` shows is right: both sides of each `=` are worked out again."""

import re
from decimal import Decimal

import pytest

NUMBER = r"-?\d+(?:\.\d+)?"
SUM = re.compile(
    rf"([-+]?[\d,]+(?:\.\d+)?) (?:\w{{3}} )?(?:\w+ a night )?= ({NUMBER}(?: (?:x|-|/) {NUMBER}(?: %)?)+)"
)


def worked_out(text):
    total, operator = None, "x"
    for word in text.replace(" %", "%").split():
        if word in {"x", "-", "/"}:
            operator = word
            continue
        number = Decimal(word.rstrip("%")) / (100 if word.endswith("%") else 1)
        if total is None:
            total = number
        else:
            total = {"x": total * number, "-": total - number, "/": total / number}[operator]
    return total


@pytest.mark.parametrize(
    "words",
    [
        ("SILVER", "--size", "1.5", "--stop", "24.50", "--limit", "40"),
        ("GOLD", "--size", "0.3", "--sell", "--stop-distance", "15", "--limit-distance", "31"),
        ("DE40", "--size", "2", "--at", "17000", "--stop", "16900"),
        ("USDJPY", "--size", "1000", "--stop-distance", "1"),
    ],
    ids=lambda words: words[0],
)
def test_the_sums_are_right(capcli, words):
    text = capcli("preview", *words, "--explain", "--env", "paper").out
    sums = SUM.findall(text)
    assert len(sums) >= 4
    for shown, formula in sums:
        assert abs(abs(Decimal(shown.replace(",", ""))) - abs(worked_out(formula))) < Decimal("0.0051"), (
            formula
        )
