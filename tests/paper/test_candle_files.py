"""Files of candles: what is read, and what is said about those that cannot be."""

import json
from importlib.util import find_spec

import pytest

from capcli.paper import candle_files
from capcli.paper.candle_files import BadReplay
from capcli.paper.catalogue import MARKETS
from capcli.paper.state import reset, status
from tests.paper.client import FRIDAY
from tests.paper.files import BOTH

HEAD = "time,open,high,low,close\n"
FIRST = "2026-03-03T10:00:00Z,32,33,31,32\n"
SECOND = "2026-03-03T10:01:00Z,32,33,31,32\n"


def read(epic, path):
    return candle_files.read(epic, path, MARKETS)


def written(tmp_path, text, name="c.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def refused(path, epic="SILVER"):
    with pytest.raises(BadReplay) as caught:
        read(epic, path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + FIRST + "2026-03-03T10:01:00Z,32,31.5,31,32\n", "line 3: high is below another price"),
        (HEAD + FIRST + "2026-03-03T10:01:00Z,32,33,32.5,32\n", "line 3: low is above another price"),
        (HEAD + FIRST + FIRST, "line 3: 2026-03-03T10:00:00Z is not after the bar before it"),
        (HEAD + FIRST + SECOND[:-4] + "\n", "line 3: 4 values under 5 columns"),
        (HEAD + FIRST + "2026-03-03T10:01:00Z,32,33,31,soon\n", "line 3: close 'soon' is not a number"),
        (HEAD + FIRST + "2026-03-03T10:01:00Z,32,33,31,NaN\n", "line 3: close 'NaN' is not a number"),
        (HEAD + FIRST + "2026-03-03T10:01:00Z,32,33,-1,32\n", "line 3: low -1 is not a price above 0"),
        (HEAD + FIRST + "yesterday,32,33,31,32\n", "line 3: time 'yesterday' is not an instant"),
        (HEAD + FIRST + "2026-03-03T10:00:07Z,32,33,31,32\n", "line 3: 7 seconds after the bar before it"),
        (
            HEAD + FIRST + SECOND + "2026-03-03T10:03:30Z,32,33,31,32\n",
            "line 4: 2026-03-03T10:03:30Z is not where a bar of MINUTE begins",
        ),
        (HEAD + FIRST, "needs two bars or more, there are 1"),
        ("", "needs two bars or more, there are 0"),
        ("open,high,low,close\n32,33,31,32\n", "line 2: there is no column time"),
        ("time,open,high,low\n2026-03-03T10:00,32,33,31\n", "line 2: there is no column close"),
        (
            f"{BOTH}\n2026-03-03T10:00,32,33,31,32,31.9,33,31,32,1\n",
            "line 2: ask_open is below bid_open",
        ),
        (
            "time,bid_open,bid_high,bid_low,bid_close,ask_open\n2026-03-03T10:00,32,33,31,32,32\n",
            "line 2: there is no column ask_high",
        ),
        ("time,open,high,low,close,volume\n2026-03-03T10:00,32,33,31,32,-4\n", "line 2: volume -4"),
    ],
)
def test_a_bad_line_is_named_with_what_is_wrong_with_it(tmp_path, text, said):
    assert said in refused(written(tmp_path, text))


def test_a_bad_file_changes_nothing(path, tmp_path):
    reset(path, seed="kept", at=FRIDAY)
    with pytest.raises(BadReplay):
        reset(path, seed="new", replays={"SILVER": written(tmp_path, HEAD)}, at=FRIDAY)
    assert status(path, FRIDAY).seed == "kept"


def test_a_file_that_is_not_there_and_one_that_is_no_text(tmp_path):
    assert "cannot be read: No such file" in refused(tmp_path / "none.csv")
    (tmp_path / "image.csv").write_bytes(b"\x89PNG\xff\xfe\x00")
    assert "cannot be read" in refused(tmp_path / "image.csv")


def test_a_market_that_is_none_and_the_suspended_one(tmp_path):
    file = written(tmp_path, HEAD + FIRST + SECOND)
    assert refused(file, "NOPE") == "There is no paper market 'NOPE'."
    assert "suspended" in refused(file, "BWMN")


def test_json_lines_are_the_same_candles_as_csv(tmp_path):
    bars = read("SILVER", written(tmp_path, HEAD + FIRST + SECOND))
    rows = [
        {"time": f"2026-03-03T10:0{i}:00+00:00", "open": 32, "high": "33", "low": 31.0, "close": 32}
        for i in (0, 1)
    ]
    lines = written(tmp_path, "\n".join(map(json.dumps, rows)), "c.jsonl")
    assert read("SILVER", lines).columns == bars.columns
    assert "line 2: not a JSON object" in refused(written(tmp_path, f"{json.dumps(rows[0])}\n[1]", "d.jsonl"))


@pytest.mark.parametrize(
    "time", ["1772532000", "1772532000000", "2026-03-03 11:00:00+01:00", "2026-03-03T10:00"]
)
def test_an_instant_is_iso_in_utc_or_a_number_since_1970(tmp_path, time):
    bars = read("SILVER", written(tmp_path, HEAD + f"{time},32,33,31,32\n" + SECOND))
    assert bars.starts[0] == 1_772_532_000


def test_prices_between_the_steps_are_rounded_and_counted(tmp_path):
    text = "Date,Open,High,Low,Close,Volume\n2026-03-03,32.0004,33,31,32.0006,12.5\n2026-03-04,32,33,31,32,\n"
    bars = read("SILVER", written(tmp_path, text))
    assert [column[0] for column in bars.columns[1:5]] == [32000, 33000, 31000, 32001]
    assert (bars.columns[-1].tolist(), bars.rounded) == ([12, 0], 3)


@pytest.mark.skipif(find_spec("pyarrow") is not None, reason="pyarrow is installed")
def test_parquet_without_pyarrow_says_what_to_install(tmp_path):
    assert "pip install 'capcli[parquet]'" in refused(written(tmp_path, "PAR1", "c.parquet"))


@pytest.mark.skipif(find_spec("pyarrow") is None, reason="pyarrow is not installed")
def test_parquet_is_the_same_candles(tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    columns = {"time": [1_772_532_000, 1_772_532_060], "open": [32.0, 32.0]}
    columns |= {"high": [33.0] * 2, "low": [31.0] * 2, "close": [32.0] * 2}
    parquet.write_table(pa.table(columns), tmp_path / "c.parquet")
    bars = read("SILVER", written(tmp_path, HEAD + FIRST + SECOND))
    assert read("SILVER", tmp_path / "c.parquet").columns == bars.columns
    assert "is not a Parquet file" in refused(written(tmp_path, "PAR1", "d.parquet"))
