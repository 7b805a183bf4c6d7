"""What is at stake, against sums of the broker's own rows."""

from decimal import Decimal

from capcli.account.exposure import ExposureFound, ExposureRow, Grouping
from capcli.account.preferences import Wanted
from capcli.domain.market import Side
from capcli.domain.money import cents
from capcli.domain.order import ExitForm, ExitOrder
from tests.support.seat import SECOND_ACCOUNT, Seat, stop_at

D = Decimal


def shown(seat: Seat) -> ExposureFound:
    return seat.app.exposures.show().data


def row(found: ExposureFound, group: Grouping, name: str) -> ExposureRow:
    return next(one for one in found.exposure if (one.group, one.name) == (group, name))


def test_an_empty_book_has_nothing_at_stake(seat: Seat) -> None:
    found = shown(seat)
    assert [one.group for one in found.exposure] == [Grouping.TOTAL]
    assert (found.total.notional, found.total.loss_at_stops, found.total.without_stop) == (0, 0, ())
    assert found.equity == 10000


def test_a_position_with_a_stop_loses_from_now_to_its_level(seat: Seat) -> None:
    seat.open(size="2", stop=stop_at("24.50"))
    found = shown(seat)
    position = seat.app.broker.positions()[0]
    silver = row(found, Grouping.MARKET, "SILVER")
    bid = position.valued_at
    # The price may have moved by a step or two between the two looks.
    assert silver.notional == silver.long == silver.net
    assert abs(silver.notional - cents(2 * bid)) < D("0.05")
    assert abs(silver.loss_at_stops - cents(2 * (bid - D("24.50")))) < D("0.05")
    assert silver.margin == cents(2 * position.level / position.leverage) if position.leverage else False
    assert (silver.currency, silver.rate, silver.without_stop) == ("USD", 1, ())
    assert row(found, Grouping.CLASS, "COMMODITIES").notional == silver.notional
    assert row(found, Grouping.CURRENCY, "USD").loss_at_stops == silver.loss_at_stops
    assert found.total.loss_at_stops == silver.loss_at_stops


def test_positions_without_a_stop_are_named(seat: Seat) -> None:
    bound = seat.open("GOLD", "0.5", stop=ExitOrder(ExitForm.DISTANCE, D(40)))
    free = seat.open("EURUSD", "1000", side=Side.SELL)
    found = shown(seat)
    assert found.total.without_stop == (free.deal_id,)
    assert row(found, Grouping.MARKET, "EURUSD").without_stop == (free.deal_id,)
    assert row(found, Grouping.MARKET, "GOLD").without_stop == ()
    assert bound.deal_id not in found.total.without_stop
    assert row(found, Grouping.MARKET, "EURUSD").net < 0
    assert (found.total.loss_at_stops, found.total.loss_pct) == (None, None)
    gold = row(found, Grouping.MARKET, "GOLD")
    assert gold.loss_at_stops == gold.loss_with_stop == found.total.loss_with_stop > 0


def test_a_currency_pair_counts_in_both_of_its_currencies(seat: Seat) -> None:
    seat.open("EURUSD", "1000", stop=ExitOrder(ExitForm.DISTANCE, D("0.05")))
    seat.open("GOLD", "0.1", stop=ExitOrder(ExitForm.DISTANCE, D(40)))
    found = shown(seat)
    pair, gold = row(found, Grouping.MARKET, "EURUSD"), row(found, Grouping.MARKET, "GOLD")
    euro, dollar = row(found, Grouping.CURRENCY, "EUR"), row(found, Grouping.CURRENCY, "USD")
    assert (euro.net, euro.long, euro.short) == (pair.long, pair.long, 0)
    assert (dollar.net, dollar.long, dollar.short) == (gold.long - pair.long, gold.long, pair.long)
    assert found.total.net == pair.long + gold.long


def test_guaranteed_and_trailing_stops_count_with_their_distance(seat: Seat) -> None:
    seat.open(size="1", stop=stop_at("24.50"), guaranteed=True)
    seat.open("GOLD", "0.1", stop=ExitOrder(ExitForm.DISTANCE, D(40)), trailing=True)
    found = shown(seat)
    assert found.total.guaranteed == 1
    assert found.total.loss_guaranteed == row(found, Grouping.MARKET, "SILVER").loss_at_stops > 0
    assert row(found, Grouping.MARKET, "SILVER").guaranteed == 1
    trailing = row(found, Grouping.MARKET, "GOLD")
    assert trailing.without_stop == ()
    assert D("3.9") < trailing.loss_at_stops <= D("4.01")


def test_other_currencies_are_converted_and_the_rate_is_shown(seat: Seat) -> None:
    seat.app.accounts.use(SECOND_ACCOUNT)
    seat.open(size="3", stop=stop_at("24.50"))
    found = shown(seat)
    silver = row(found, Grouping.MARKET, "SILVER")
    assert found.account_currency == "EUR"
    assert silver.currency == "USD"
    assert silver.rate is not None
    bid = seat.app.broker.positions()[0].valued_at
    # The price may have moved by a step since.
    assert abs(silver.notional - cents(3 * bid * silver.rate)) < D("0.05")
    assert silver.notional_pct == (silver.notional * 100 / found.equity).quantize(D("0.01"))


def test_a_class_of_several_currencies_names_none(seat: Seat) -> None:
    seat.open("US100", "0.1", stop=ExitOrder(ExitForm.DISTANCE, D(500)))
    seat.open("J225", "1", stop=ExitOrder(ExitForm.DISTANCE, D(900)))
    found = shown(seat)
    indices = row(found, Grouping.CLASS, "INDICES")
    assert (indices.currency, indices.rate, indices.positions) == (None, None, 2)
    parts = [row(found, Grouping.MARKET, epic) for epic in ("US100", "J225")]
    assert indices.notional == sum(part.notional for part in parts)
    assert found.total.notional == indices.notional


def test_hedged_sides_stand_beside_each_other_and_the_net_is_their_difference(seat: Seat) -> None:
    seat.app.account_changes.prefer(Wanted(hedging=True), confirmed=True)
    seat.open(size="3", stop=stop_at("24.50"))
    seat.open(size="2", side=Side.SELL, stop=stop_at("38.50"))
    found = shown(seat)
    silver = row(found, Grouping.MARKET, "SILVER")
    assert found.hedging
    assert (silver.positions, silver.net) == (2, silver.long - silver.short)
    assert silver.notional == silver.long + silver.short
    quote = seat.app.broker.market("SILVER").quote
    lost = cents(3 * (quote.bid - D("24.50"))) + cents(2 * (D("38.50") - quote.offer))
    # The price may have moved by a step or two between the two looks.
    assert abs(silver.loss_at_stops - lost) < D("0.10")


def test_it_takes_three_requests_and_two_when_the_preferences_are_known(seat: Seat) -> None:
    seat.app.broker.session()
    before = len(seat.tap.requests)
    shown(seat)
    shown(seat)
    assert len(seat.tap.requests) == before + 5
