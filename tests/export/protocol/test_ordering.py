from export.protocol.framing import Header
from export.protocol.ordering import Ordering

SECOND = 1_000_000_000
PERIOD = SECOND // 10


def judged(*messages: tuple[int, int, float, float], timed: bool = True, rival: str | None = "rival") -> list[str]:
    """What an Ordering says of messages: session, sequence, stamp and arrival in periods."""
    ordering = Ordering(timed, rival)
    return [
        ordering.judge(Header(session, sequence, round(stamp * PERIOD)), round(arrival * PERIOD) + 77 * SECOND)[0]
        for session, sequence, stamp, arrival in messages
    ]


def test_messages_in_order_and_in_time_pass() -> None:
    assert judged(*((5, n, n, n) for n in range(1000))) == [""] * 1000


def test_doubled_and_overtaken_messages_are_named() -> None:
    assert judged((5, 0, 0, 0), (5, 1, 1, 1), (5, 1, 1, 1.1), (5, 0, 0, 1.2), (5, 3, 3, 3)) == [
        "", "", "doubled", "out_of_order", "",
    ]  # fmt: skip


def test_lost_messages_are_counted() -> None:
    ordering = Ordering(True, None)
    for sequence in (10, 11, 14):
        ordering.judge(Header(5, sequence, sequence * PERIOD), sequence * PERIOD)
    assert ordering.lost == 2


def test_a_message_that_was_under_way_for_longer_than_the_limit_is_late_without_a_common_clock() -> None:
    assert judged((5, 0, 0, 0), (5, 1, 1, 1), (5, 2, 2, 5.1), (5, 3, 3, 5.2), (5, 5, 5, 5.2)) == [
        "",
        "",
        "late",
        "",
        "",
    ]


def test_another_session_takes_over_when_the_first_has_been_silent() -> None:
    told = judged((5, 7, 7, 7), (6, 0, 1000, 8), (5, 8, 8, 8.1), (6, 1, 1003, 11.2), (5, 9, 9, 11.3), (6, 2, 1004, 12))
    assert told == ["", "rival", "", "", "rival", ""]


def test_a_session_goes_on_where_it_was_when_the_other_one_ends() -> None:
    told = judged(
        (5, 7, 7, 7), (6, 0, 1000, 12), (5, 12, 12, 14), (5, 13, 13, 15.2), (5, 13, 13, 15.3), (5, 14, 14, 16)
    )
    assert told == ["", "", "rival", "", "doubled", ""]


def test_one_message_of_a_stranger_costs_no_more_than_the_time_of_a_silence() -> None:
    told = judged((5, 0, 0, 0), (6, 0, 0, 3.5), *((5, n, n, n) for n in range(4, 20)))
    assert told == ["", "", *["rival"] * 3, *[""] * 13]


def test_a_sender_that_is_always_nearly_late_does_not_keep_another_one_out() -> None:
    told = judged((5, 0, 0, 0), *((5, n, n, n + 2.8) for n in range(1, 4)), (6, 0, 0, 6))
    assert told == [""] * 5


def test_in_lock_step_a_new_session_is_followed_at_once_and_old_messages_count_no_more() -> None:
    told = judged((5, 7, 7, 7), (6, 0, 0, 7), (5, 7, 7, 7), (6, 1, 1, 7), (5, 6, 6, 8), timed=False, rival=None)
    assert told == ["", "", "doubled", "", "out_of_order"]


def test_strangers_fill_no_memory() -> None:
    ordering = Ordering(True, "rival")
    for session in range(1, 1000):
        assert ordering.judge(Header(session, 0, 0), session * SECOND) == ("", 0)
    assert ordering.followed == 999
    assert len(ordering._sessions) == 64


def test_a_clock_that_jumps_forward_changes_nothing() -> None:
    hour = 36000
    assert judged((5, 0, 0, 0), (5, 1, 1, 1), (5, 2, 2 + hour, 2), (5, 3, 3 + hour, 3)) == [""] * 4


def test_a_clock_that_jumps_back_costs_one_message() -> None:
    hour = 36000
    told = judged((5, 0, hour, 0), (5, 1, 1 + hour, 1), (5, 2, 2, 2), (5, 3, 3, 3), (5, 4, 4, 8))
    assert told == ["", "", "clock_jumped_back", "", "late"]


def test_a_clock_that_drifts_is_followed() -> None:
    assert set(judged(*((5, n, n, n * 1.0005) for n in range(36_000)))) == {""}  # an hour; 18 periods off in the end


def test_what_is_always_late_never_counts_as_fresh() -> None:
    told = judged((5, 0, 0, 0), *((5, n, n, n + 20) for n in range(1, 6000)))  # two seconds late, for ten minutes
    assert told == ["", *["late"] * 5999]


def test_what_comes_later_and_later_is_late_in_the_end() -> None:
    told = judged(*((5, n, n, n * 1.004) for n in range(6000)))
    assert told[:1000] == [""] * 1000
    assert told[3000:] == ["late"] * 3000


def test_a_queue_that_empties_after_a_pause_is_late_but_for_its_end() -> None:
    told = judged((5, 0, 0, 0), *((5, n, n, 21) for n in range(1, 22)))
    assert told == ["", *["late"] * 17, *[""] * 4]  # what is younger than 0.3 s passes


def test_in_lock_step_time_does_not_count() -> None:
    assert judged((5, 0, 0, 0), (5, 1, 1, 900), (5, 2, 2, 901), timed=False) == [""] * 3
