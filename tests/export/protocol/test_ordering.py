from export.protocol.framing import Header
from export.protocol.ordering import Ordering

SECOND = 1_000_000_000
PERIOD = SECOND // 10


def judged(*messages: tuple[int, int, int, float], timed: bool = True) -> list[str]:
    """What an Ordering says of messages: session, sequence, stamp and arrival in periods."""
    ordering = Ordering(timed)
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
    ordering = Ordering(True)
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


def test_a_new_session_begins_anew_and_the_old_one_is_over() -> None:
    assert judged((5, 7, 7, 7), (6, 0, 1000, 8), (5, 8, 8, 8.1), (6, 1, 1001, 9), (5, 9, 9, 9)) == [
        "", "", "retired_session", "", "retired_session",
    ]  # fmt: skip


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
