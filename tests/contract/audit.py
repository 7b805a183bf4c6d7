"""Which tests would fail if the paper broker behaved otherwise than API pages 15 and 17 say.

A name is a file below `tests` and a function in it. What is no behaviour of a broker has a reason instead.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Reason:
    """Why there is nothing to test."""

    why: str


def _tests(file: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{file}.py::test_{name}" for name in names)


def _quirks(*names: str) -> tuple[str, ...]:
    return _tests("contract/test_quirks", *names)


def _faults(*names: str) -> tuple[str, ...]:
    return _tests("paper/test_faults", *names)


def _positions(*names: str) -> tuple[str, ...]:
    return _tests("paper/test_positions", *names)


def _orders(*names: str) -> tuple[str, ...]:
    return _tests("paper/test_orders", *names)


def _dealing(*names: str) -> tuple[str, ...]:
    return _tests("paper/test_matching", *names)


def _channel(*names: str) -> tuple[str, ...]:
    return _tests("paper/test_channel", *names)


def _encryption(*names: str) -> tuple[str, ...]:
    return _tests("paper/test_encryption", *names)


# By the number in API page 15.
QUIRKS: Mapping[int, tuple[str, ...] | Reason] = MappingProxyType(
    {
        1: _faults("confirms_are_late") + _positions("a_late_confirm_is_a_404_at_first"),
        2: _positions("an_opening_fills_at_the_offer_and_is_confirmed_under_two_ids"),
        3: _faults("after_a_close_the_opening_confirm_is_answered"),
        4: _dealing("the_reference_of_an_opening_shows_in_no_list"),
        5: _positions(
            "an_amendment_drops_what_it_omits", "an_empty_amendment_changes_nothing_and_null_removes"
        ),
        6: _orders(
            "an_amendment_keeps_what_it_omits_but_for_the_flags",
            "a_trailing_flag_falls_back_to_a_fixed_stop",
        ),
        7: _positions("a_close_takes_the_whole_row_whatever_size_is_sent"),
        8: _positions("an_opposite_order_reduces_the_oldest_first")
        + _dealing("a_hedging_account_holds_both_sides_of_a_market")
        + _quirks("a_reduction_takes_the_oldest_row_whichever_is_named"),
        9: _positions("a_reversal_opens_a_new_row_for_the_excess"),
        10: _orders("an_order_fills_when_the_price_reaches_its_level"),
        11: _quirks("a_filled_order_can_be_in_no_list_for_a_moment")
        + _faults("new_deals_are_in_no_list_for_a_while"),
        12: _faults("activity_is_late_and_has_level_0_first") + _quirks("an_activity_has_no_id_of_its_own"),
        13: _tests("paper/test_history", "a_close_is_a_trade_in_the_opposite_direction"),
        14: _quirks("activity_reaches_over_one_day_and_not_a_second_more"),
        15: _quirks("activity_writes_date_utc_in_another_way_than_transactions"),
        16: _quirks("the_size_of_a_transaction_is_money_of_the_account_and_a_text"),
        17: _orders(
            "an_order_is_listed_with_signed_distances_whatever_was_sent",
            "distances_of_a_sale_are_mirrored",
        ),
        18: _quirks("one_thing_has_two_names"),
        19: _quirks("the_ask_is_an_offer_in_lists_and_an_ask_in_candles")
        + _tests("paper/test_feed", "events_have_the_published_fields"),
        20: _quirks("the_step_of_the_price_is_not_that_of_the_size"),
        21: _quirks(
            "distance_rules_are_percent_of_the_quote",
            "the_quote_that_distances_are_percent_of_is_the_live_one",
        )
        + _faults("the_band_tightens_between_quote_and_order"),
        22: _positions("the_bound_in_a_refusal_is_itself_allowed"),
        23: _quirks("a_session_that_is_used_lives_on_unless_the_hard_cap_is_on")
        + _faults("a_busy_session_dies_an_hour_after_its_login"),
        24: _tests(
            "paper/test_sessions",
            "dead_tokens_break_the_calls_of_a_login_whatever_they_died_of",
            "living_tokens_on_the_calls_of_a_login_do_no_harm",
        ),
        25: _quirks("a_switch_brings_a_new_security_token_and_to_the_active_account_there_is_none"),
        26: _quirks("one_process_moves_the_next_login_of_another"),
        27: _quirks(
            "what_a_price_window_may_not_be",
            "both_ends_of_a_price_window_belong_to_it",
            "the_span_of_a_price_window_counts_weekends",
            "a_price_window_without_bars_is_a_404_of_its_own",
        ),
        28: _quirks("the_last_bar_may_still_be_forming"),
        29: _quirks("local_times_have_two_offsets_and_one_of_them_changes_with_the_season"),
        30: _channel("bars_come_twice_at_their_close_and_can_get_lost_while_quotes_go_on"),
        31: _channel("a_quiet_socket_is_cut_when_the_fault_is_set_and_a_ping_keeps_it"),
        32: _quirks("an_exception_of_the_backend_comes_as_a_code"),
        33: _dealing(
            "an_account_can_demand_guaranteed_stops_and_want_them_restated",
            "a_guarantee_that_is_not_restated_is_gone",
        ),
        34: _quirks("the_key_of_the_encrypted_login_is_a_real_one_of_2048_bits")
        + _encryption("what_was_not_sealed_as_published_is_a_wrong_password"),
        35: _positions("a_closed_or_suspended_market_is_a_rejected_confirm")
        + _dealing("a_closed_market_can_answer_with_a_sentence_instead"),
        # The third misspelling is a word of the Java samples, which no broker was seen to send.
        36: _quirks("a_watchlist_is_deleteable")
        + _dealing("an_account_can_demand_guaranteed_stops_and_want_them_restated"),
        37: Reason("a folder's name in the collection's file; it is in no request and in no answer"),
        38: _tests("paper/test_history", "a_market_opening_leaves_three_rows_of_one_instant"),
        39: _orders("an_order_that_nets_passes_no_stop_on")
        + _dealing("two_working_orders_do_not_cancel_each_other"),
        40: _dealing("two_working_orders_do_not_cancel_each_other")
        + _quirks("nothing_cancels_or_closes_all_at_once"),
        41: _quirks("the_key_of_the_encrypted_login_is_a_real_one_of_2048_bits"),
    }
)
# By the first column of API page 17.
DEFAULTS: Mapping[str, tuple[str, ...] | Reason] = MappingProxyType(
    {
        "REJECTED confirm payload": _positions("missing_funds_are_a_rejected_confirm"),
        "confirm retention": _positions("a_confirm_is_kept_for_a_day", "every_confirm_can_be_given_one_delay")
        + _faults("confirms_are_late"),
        "status of `error.invalid.size*`, `error.validation.*`": _positions("refusals") + _orders("refusals"),
        "confirm of PUT position": _positions("an_amendment_drops_what_it_omits"),
        "confirm of reducing POST": _positions(
            "an_opposite_order_reduces_the_oldest_first",
            "an_exact_opposite_order_closes",
            "a_reversal_opens_a_new_row_for_the_excess",
        ),
        "confirm of order create / amend / delete": _orders(
            "a_creation_is_confirmed_with_the_order_as_the_deal"
        )
        + _dealing("every_kind_of_deal_has_its_confirm"),
        "several stop fields in one body": _positions("refusals") + _orders("refusals"),
        "hedging switch with open positions": _quirks("hedging_is_not_switched_with_open_positions"),
        "more than 50 epics, more than 40 subscriptions": _quirks("fifty_epics_at_once_and_no_more")
        + _tests("paper/test_stream", "forty_markets_fit_on_a_connection_and_the_next_is_an_error"),
        "unknown epic in WebSocket subscribe": _tests(
            "paper/test_stream", "an_unknown_market_is_not_processed_and_the_others_are"
        ),
        "unknown epic inside `epics=`": _quirks("an_unknown_epic_among_several_is_left_out"),
        "token format and rotation": _quirks("tokens_are_random_and_can_rotate"),
        "hard session cap": _quirks("a_session_that_is_used_lives_on_unless_the_hard_cap_is_on")
        + _faults("a_busy_session_dies_an_hour_after_its_login"),
        "slippage, partial fills": _positions("an_opening_fills_at_the_offer_and_is_confirmed_under_two_ids")
        + _faults("a_fill_slips_to_the_worse_side", "an_order_fills_in_part"),
        "DAY/WEEK boundaries": _quirks("days_begin_at_midnight_and_weeks_on_mondays"),
        "margin price base, hedge offset": _positions("available_is_equity_less_margin_at_the_current_mid")
        + _dealing("both_sides_of_a_hedge_need_their_margin"),
        "conversion rates and fees": _positions(
            "profit_in_the_account_currency_is_converted_at_mid",
            "closing_moves_equity_by_exactly_what_was_shown",
        ),
        "weekend swap factor": _tests(
            "paper/test_overnight",
            "ten_nights_away_are_ten_nights",
            "a_night_costs_its_rate_of_the_value_at_mid",
        ),
        "guaranteed-stop premium": _dealing("a_guaranteed_stop_that_fires_costs_no_premium"),
        "WebSocket close codes": _tests(
            "faults/test_stream",
            "an_account_switch_leaves_the_stream_of_the_old_tokens_alone",
            "a_logout_ends_the_stream_with_1000_and_another_login_does_not",
        )
        + _channel(
            "a_stream_lives_ten_minutes_from_a_message_and_a_ping_renews_it",
            "a_logout_ends_its_stream_with_1000_and_a_switch_does_not",
        ),
        "heikin-ashi seeding": _tests(
            "paper/test_feed", "heikin_ashi_is_the_standard_formula_from_its_first_bar"
        ),
        "encryption timestamp validity": _encryption("a_sealed_password_logs_in_within_five_minutes"),
    }
)
# By the items of the list under the table of API page 17.
FAULTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "confirm 404 then ACCEPTED": _faults("confirms_are_late"),
        "POST timeout with execution": _tests(
            "paper/test_fault_injection", "an_answer_takes_longer_than_the_client_waits"
        ),
        "stale `p_` confirm": _faults("after_a_close_the_opening_confirm_is_answered"),
        "activity delayed 60 s, level 0 then filled": _faults("activity_is_late_and_has_level_0_first"),
        "deal in no list for one poll": _faults("a_deal_is_missing_for_one_poll"),
        "429 bursts": _faults("a_burst_of_too_many_is_three_by_itself"),
        "token expiry mid-run and token rotation": _faults(
            "a_session_dies_at_the_next_request",
            "rotated_tokens_come_with_the_answer_and_the_old_ones_are_dead",
        ),
        "Java exception errorCode": _quirks("an_exception_of_the_backend_comes_as_a_code"),
        "empty 404 price window without code": _faults("an_empty_price_window_comes_without_a_code"),
        "dropped and replayed OHLC events": _channel(
            "bars_come_twice_at_their_close_and_can_get_lost_while_quotes_go_on",
            "old_bars_can_come_again_after_a_subscription",
        ),
        "silent OHLC with live quotes": _channel(
            "bars_come_twice_at_their_close_and_can_get_lost_while_quotes_go_on"
        ),
        "socket cut": _channel("a_stream_can_be_cut_once"),
        "account switched by another process": _faults("somebody_else_switches_the_account"),
        "dealing band tightening between quote and order": _faults(
            "the_band_tightens_between_quote_and_order"
        ),
    }
)
