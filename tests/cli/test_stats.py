"""`history stats`: figures, curve and page on the paper broker; the page needs nothing and hides nothing."""

import csv
import io
import re
import stat
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

NOTE = '<script>alert(1)</script> & "quoted" <img src=https://example.test/x>'


@pytest.fixture
def traded(capcli: Any) -> Any:
    """Two trades: one with a tag, a stop and a hostile note, one without."""
    for words in (("--stop", "24.50", "--tag", "dip", "--note", NOTE), ()):
        deal = capcli.bought(*words)
        capcli.time.sleep(3600)
        assert capcli("close", deal, "--confirm").code == 0
        capcli.time.sleep(3600)
    return capcli


def test_the_figures_are_those_of_the_report(traded: Any) -> None:
    report = traded("history", "report", "--json").data
    for by in ("market", "tag", "side", "hour", "client"):
        found = traded("history", "stats", "--by", by, "--json").data
        assert found["total"]["net"] == report["total"]["net"]
        assert found["total"]["pl"] == report["total"]["realised_pl"]
        assert sum(line["net"] for line in found["lines"]) == pytest.approx(report["total"]["net"], abs=1e-9)
        assert found["total"]["trades"] == 2
    first, second = found["trades"]
    assert (first["tag"], first["note"], first["side"], first["client"]) == ("dip", NOTE, "BUY", "a script")
    assert first["r"] == pytest.approx(first["net"] / first["risk"], abs=0.006)
    assert (second["tag"], second["risk"], second["r"]) == (None, None, None)
    assert found["total"]["r_known"] == 1


def test_the_table_and_the_curve_on_a_terminal_and_in_a_pipe(traded: Any) -> None:
    for typed, width in ((None, 200), ("", 200), ("", 80), ("", 40)):
        shown = traded("history", "stats", "--by", "tag", "--chart", typed=typed, width=width)
        assert shown.code == 0
        for word in ("dip", "no tag", "Expectancy", "the risk of 1 is", "0.00"):
            assert word in shown.out, (word, shown.out)
        if typed is not None:
            plain = re.sub(r"\x1b\[[0-9;]*m", "", shown.out)
            assert max(map(len, plain.splitlines())) <= width
    assert traded("history", "stats", "--chart", typed="", width=30).code == 2


def test_csv_has_a_row_for_each_line(traded: Any) -> None:
    rows = list(
        csv.DictReader(io.StringIO(traded("history", "stats", "--by", "tag", "--csv").out, newline=""))
    )
    assert [row["key"] for row in rows] == ["dip", ""]
    assert rows[0]["trades"] == "1"


def test_without_trades_it_says_so(capcli: Any) -> None:
    found = capcli("history", "stats", "--chart")
    assert (found.code, "No trade was closed." in found.out) == (0, True)
    assert capcli("history", "stats", "--json").data["total"]["win_rate_pct"] is None


def test_an_unknown_grouping_is_named(capcli: Any) -> None:
    refused = capcli("history", "stats", "--by", "moon", "--json")
    assert (refused.code, "market, tag, side, hour, client" in refused.error["message"]) == (2, True)


class Tags(HTMLParser):
    """Every element of a page with its attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_holds_pictures_and_needs_nothing(traded: Any, tmp_path: Path) -> None:
    file = tmp_path / "trades.html"
    done = traded("history", "stats", "--html", str(file))
    assert (done.code, f"The page is in {file}" in done.err) == (0, True)
    if stat.S_IMODE(tmp_path.stat().st_mode) != 0o777:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    page = file.read_text(encoding="utf-8")
    tags = Tags(page)
    names = [name for name, _ in tags.found]
    assert names.count("svg") >= 4
    assert not {"script", "img", "link", "iframe", "object", "embed", "base", "form", "a"} & set(names)
    for _, attributes in tags.found:
        assert not {"src", "href", "style-src", "srcset", "action"} & attributes.keys()
        assert not any(name.startswith("on") for name in attributes)
    assert not re.findall(r"url\(|@import|@font-face", page)
    assert any("default-src 'none'" in (attributes.get("content") or "") for _, attributes in tags.found)
    assert NOTE in "".join(tags.text)
    for title in ("Equity", "Drawdown", "Net by day", "Net by market", "PAPER"):
        assert title in "".join(tags.text)


def test_a_page_that_is_there_stays_without_force(traded: Any, tmp_path: Path) -> None:
    file = tmp_path / "my trades.html"
    file.write_text("mine")
    refused = traded("history", "stats", "--html", str(file), "--json")
    assert (refused.code, file.read_text()) == (2, "mine")
    assert refused.error["next"] == f"capcli history stats --html '{file}' --force"
    assert traded("history", "stats", "--html", str(file), "--force").code == 0
    assert file.read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(("place", "why"), [(".", "is a folder"), ("nowhere/x.html", "There is no folder")])
def test_a_page_that_cannot_be_written_is_refused_before_anything_is_read(
    capcli: Any, tmp_path: Path, place: str, why: str
) -> None:
    refused = capcli("history", "stats", "--html", str(tmp_path / place), "--json")
    assert (refused.code, why in refused.error["message"]) == (2, True)
    assert capcli("history", "stats", "--force", "--json").code == 2


def test_an_empty_page_is_one(capcli: Any, tmp_path: Path) -> None:
    file = tmp_path / "none.html"
    assert capcli("history", "stats", "--html", str(file)).code == 0
    assert "Nothing was booked." in file.read_text(encoding="utf-8")
