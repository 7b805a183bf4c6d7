"""The terms of an order: each reaches the preview, the journal and the person who approves."""

from typing import Any, get_type_hints

import pytest
from msgspec.json import decode, encode

from capcli.domain.attempt import PreviewRecord, PreviewState
from capcli.domain.fields import with_fields_of
from capcli.domain.order import Kind, OrderRequest, OrderTerms
from capcli.domain.stored_order import StoredOrder, read_order, write_order
from capcli.safety import preview_fields
from capcli.safety.approval_text import order_text
from tests.domain.builders import NOW, D, a_case, an_order, distance

# A term of another type needs a value here.
_GIVEN: dict[Any, Any] = {bool: True, str | None: "probe"}
_TYPES = get_type_hints(OrderTerms)
TERMS = [OrderTerms(**{name: _GIVEN[_TYPES[name]]}) for name in OrderTerms.__struct_fields__]
PLAIN = an_order(stop=distance("2"))
# As stored before the terms stood in one place, with every number as text.
_STORED = {
    b'{"client":"cli","effect":null,"entry":"30.02","epic":"SILVER","guaranteed":true,"limit":null,'
    b'"limit_level":null,"note":"a \\"note\\"","order_type":null,"risk":"8.28","side":"BUY","size":"1.50",'
    b'"stop":{"form":"DISTANCE","value":"2"},"stop_level":"24.5","tag":"swing","trailing":false,'
    b'"trigger":null}': StoredOrder(
        an_order("1.50", stop=distance("2"), guaranteed=True, note='a "note"', tag="swing"),
        None,
        D("30.02"),
        D("24.5"),
        None,
        risk=D("8.28"),
        client="cli",
    ),
    b'{"client":null,"effect":null,"entry":"30","epic":"SILVER","guaranteed":false,"limit":null,'
    b'"limit_level":null,"note":null,"order_type":null,"risk":null,"side":"BUY","size":"10",'
    b'"stop":{"form":"DISTANCE","value":"2"},"stop_level":"28","tag":null,"trailing":true,'
    b'"trigger":null}': StoredOrder(an_order(stop=distance("2"), trailing=True), None, D(30), D(28), None),
}


def on(terms: OrderTerms) -> OrderRequest:
    facts = {name: getattr(PLAIN, name) for name in ("epic", "side", "size", "stop")}
    return with_fields_of(terms, OrderRequest, **facts)


def changed(terms: OrderTerms) -> str:
    return next(name for name in terms.__struct_fields__ if getattr(terms, name))


def explained(request: OrderRequest, quote: bytes | None = None) -> tuple[tuple[str, str], ...]:
    quote = encode(a_case(request).market.quote) if quote is None else quote
    document = write_order(StoredOrder(request, None, D("30.02"), D("28.02"), None))
    record = PreviewRecord(
        "p_1", Kind.MARKET, "demo", "", "1", "POST", "", b"", "", document, quote,
        next(iter(PreviewState)), NOW, NOW,
    )  # fmt: skip
    return preview_fields.sentences(record)


@pytest.mark.parametrize("terms", TERMS, ids=changed)
def test_each_term_is_shown_to_the_person_who_approves(terms: OrderTerms) -> None:
    plain, asked = (order_text(a_case(r), "1", env="demo", now=NOW) for r in (PLAIN, on(terms)))
    assert asked != plain


@pytest.mark.parametrize("terms", [OrderTerms(trailing=True), OrderTerms(guaranteed=True)], ids=changed)
def test_the_kind_of_a_stop_is_explained_before_going_live(terms: OrderTerms) -> None:
    assert explained(on(terms)) != explained(PLAIN)


@pytest.mark.parametrize("quote", [b"", b"30.00 30.02 2026-05-04T14:04:11+00:00", b"{}"])
def test_a_preview_without_a_quote_explains_nothing_before_going_live(quote: bytes) -> None:
    assert dict(explained(PLAIN))["Spread"].startswith("0.02 = ")
    assert explained(PLAIN, quote) == ()


@pytest.mark.parametrize("terms", TERMS, ids=changed)
def test_each_term_is_an_option_of_the_command_and_is_stored(terms: OrderTerms) -> None:
    assert terms.words[0].split()[0] == "--" + changed(terms).replace("_", "-")
    order = StoredOrder(on(terms), None, D(30), None, None)
    assert read_order(write_order(order)) == order


@pytest.mark.parametrize(("document", "order"), _STORED.items())
def test_an_order_that_an_earlier_version_stored_keeps_every_value(
    document: bytes, order: StoredOrder
) -> None:
    assert read_order(document) == order
    assert decode(document).items() <= decode(write_order(order)).items()
