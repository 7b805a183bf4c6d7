"""CSV is opened in spreadsheets: text of the broker's is never run there, and numbers stay numbers."""

import csv
import io
from decimal import Decimal

import pytest

from capcli.render.text import csv_text


def cell(value: object) -> str:
    header, row = csv.reader(io.StringIO(csv_text([{"name": value}], ("name",)), newline=""))
    assert header == ["name"]
    return row[0] if row else ""


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\uff1d", " ="])
def test_what_a_spreadsheet_would_run_is_text(first: str) -> None:
    written = cell(f'{first}HYPERLINK("http://evil.example","Silver")')

    assert written.startswith("'")
    assert written.isprintable()
    assert "HYPERLINK" in written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Decimal("-0.0029"), "-0.0029"),
        (Decimal("24.50"), "24.50"),
        (-3, "-3"),
        ("-3.5", "-3.5"),
        (None, ""),
        (True, "true"),
        ("Silver, spot", "Silver, spot"),
        ("Sil\x1b[2Jver\u202e", "Sil?[2Jver?"),
        ("\t=1+1", "?=1+1"),
        (["GOLD", "SILVER"], "GOLD,SILVER"),
    ],
)
def test_other_values_are_written_as_they_are(value: object, written: str) -> None:
    assert cell(value) == written
