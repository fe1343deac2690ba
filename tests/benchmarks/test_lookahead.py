"""Looking ahead tells what then happens, and changes nothing; and who is given a higher priority gets farther."""

import argparse

import numpy as np
import pytest

from benchmarks.lookahead import CHOICES, Fleet, by_the_rules, foresee, hold, one, play, priorities, twins

SEEDS = range(1_500_000_000, 1_500_000_006)


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return Fleet("narrow", 8)


def test_what_is_foreseen_happens(fleet: Fleet) -> None:
    fleet.begin(SEEDS[0])
    fleet.drive(by_the_rules(8), 30)
    (choice,) = hold(8, np.random.default_rng(0), 1)
    foreseen = [foresee(fleet, choice, 10, 40), foresee(fleet, by_the_rules(8), 10, 40)]
    assert foreseen[0] != foreseen[1]
    assert foresee(fleet, choice, 10, 40) == foreseen[0]  # the fleet stands where it stood
    assert fleet.drive(choice, 10) + fleet.drive(by_the_rules(8), 30) == foreseen[0]


def test_who_goes_before_others_gets_farther_than_who_goes_after_them(fleet: Fleet) -> None:
    covered = {}
    for priority in (-1.0, 1.0):
        choice = by_the_rules(8)
        choice.priorities[5] = priority
        for seed in SEEDS:
            fleet.begin(seed)
            fleet.drive(choice, 600)
            covered[seed, priority] = fleet.warehouse.infos()[5]["distance"]
    assert sum(covered[seed, 1.0] for seed in SEEDS) > sum(covered[seed, -1.0] for seed in SEEDS) + 5.0


def test_the_best_of_what_is_tried_is_made(fleet: Fleet) -> None:
    options = argparse.Namespace(periods=60, horizon=90, tries=3)
    rules = play(fleet, SEEDS[0], None, options)
    better = play(fleet, SEEDS[0], priorities, options)
    assert rules[2] == 0.0
    assert better[2] > 0.0
    assert better[1] > rules[1]  # 10 decisions of 6 s, each at least as good for 9 s


def test_twins_are_a_little_apart_and_mostly_tell_the_same(fleet: Fleet) -> None:
    fleet.begin(SEEDS[1])
    rules = by_the_rules(8)
    fleet.drive(rules, 30)
    apart = foresee(fleet, rules, 5, 10, nudged=3) - foresee(fleet, rules, 5, 10)
    assert 0.0 < abs(apart) < 0.5
    pairs = np.array(twins(fleet, SEEDS[1], hold, argparse.Namespace(periods=20, horizon=30, tries=4)))
    assert pairs.shape == (32, 2)
    assert np.corrcoef(pairs.T)[0, 1] > 0.8  # who stops for 2 s of 3 s gets less far, wherever it began


def test_the_choices_are_of_their_kind() -> None:
    rules = by_the_rules(5)
    for name, kind in CHOICES.items():
        tried = kind(5, np.random.default_rng(1), 4)
        assert len(tried) == 4
        for choice in tried:
            assert np.array_equal(choice.maneuvers, rules.maneuvers) == (name != "hold")
            assert np.array_equal(choice.priorities, rules.priorities) == (name == "hold")
    assert len({int(np.flatnonzero(c.priorities)[0]) for c in one(5, np.random.default_rng(2), 9)}) == 5
