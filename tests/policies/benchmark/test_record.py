"""What a benchmark measures, and what it keeps of that on the disk: it goes on with its own settings or not at all."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from policies.benchmark import record
from policies.benchmark.record import FILE, Record
from policies.benchmark.settings import FLEETS, BenchmarkConfig
from policies.episode import Episode
from sim.errors import InputError

EPISODE = Episode(math.nan, 150, {"deliveries": 3.0, "legs": 7.0}, 12.5, 80.0)


@pytest.fixture
def config(tmp_path: Path) -> BenchmarkConfig:
    return BenchmarkConfig(out=tmp_path / "out", scenes=("crossing",), episodes=2)


def test_by_default_the_shipped_scenes_are_measured_with_their_fleets() -> None:
    fleets = [(scene.layout, scene.robots) for scene, _ in BenchmarkConfig().fleets()]
    assert fleets == [(scene, robots) for scene, sizes in FLEETS.items() for robots in sizes]
    assert len(fleets) == 9


def test_fleets_are_crossed_with_scenes_and_a_map_of_ones_own_says_how_many(tmp_path: Path) -> None:
    chosen = BenchmarkConfig(scenes=("small", "aisle", "small"), robots=(3, 2), time_limit=20.0, drive="wheels")
    opened = chosen.fleets()
    assert [(scene.layout, scene.robots) for scene, _ in opened] == [
        ("small", 3),
        ("small", 2),
        ("aisle", 3),
        ("aisle", 2),
    ]
    assert {(scene.time_limit, scene.drive) for scene, _ in opened} == {(20.0, "wheels")}
    own = tmp_path / "yard.map"
    own.write_text("robots 3\nmap\n....\n.#S.\n....\n")
    ((scene, layout),) = BenchmarkConfig(scenes=(str(own),)).fleets()
    assert (scene.robots, layout.name) == (3, "yard")


def test_the_command_of_a_benchmark_names_what_was_chosen() -> None:
    assert BenchmarkConfig(processes=7, out=Path("elsewhere")).command == "fleetmix benchmark"
    chosen = BenchmarkConfig(scenes=("small", "my map"), policies=("always-go, no rules",), time_limit=90.0)
    assert (
        chosen.command
        == "fleetmix benchmark --scenes small 'my map' --policies 'always-go, no rules' --time-limit 90.0"
    )


def test_episodes_are_found_again(config: BenchmarkConfig) -> None:
    first = Record(config)
    untimed = replace(EPISODE, decision_us=math.nan, decision_us_p99=math.nan)
    first.episodes |= {("crossing", 2, "pibt", 1): EPISODE, ("crossing", 2, "solo", 0): untimed}
    first.save()
    again = Record(replace(config, processes=9)).episodes
    assert again == first.episodes
    assert again["crossing", 2, "pibt", 1].decision_us_p99 == 80.0
    assert math.isnan(again["crossing", 2, "solo", 0].decision_us)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"episodes": 3}, "episodes 2, not 3;"),
        ({"seed": 5, "drive": "wheels"}, "seed 0, not 5; drive velocity, not wheels;"),
        ({"robots": (2, 3)}, "robots 2, not 2 3; maps "),
        (
            {"policies": ("pibt",)},
            "policies always-go 'always-go, claims alone' 'always-go, no rules' pibt rhcr, not ",
        ),
        ({"time_limit": 30.0}, "time_limit 60.0, not 30.0;"),
    ],
)
def test_with_other_settings_it_does_not_go_on_and_says_which(config, change: dict[str, object], says: str) -> None:
    Record(config).save()
    before = (config.out / FILE).read_bytes()
    with pytest.raises(InputError, match="holds a benchmark with") as refused:
        Record(replace(config, **change))
    assert says in str(refused.value)
    assert (config.out / FILE).read_bytes() == before


def test_figures_of_two_maps_or_of_two_states_of_the_code_are_not_mixed(tmp_path: Path, monkeypatch) -> None:
    own = tmp_path / "yard.map"
    own.write_text("map\n....\n.#S.\n....\n")
    config = BenchmarkConfig(out=tmp_path / "out", scenes=(str(own),))
    Record(config).save()
    own.write_text("map\n....\n.#S.\n..#.\n")
    with pytest.raises(InputError, match=r"with maps [0-9a-f]+, not [0-9a-f]+; valid is"):
        Record(config)
    own.write_text("map\n....\n.#S.\n....\n")
    Record(config)
    monkeypatch.setattr(record, "_hash_of_code", lambda: "changed")
    with pytest.raises(InputError, match=r"with code [0-9a-f]+, not changed;"):
        Record(config)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"settings": 3, "episodes": []}', b'{"settings": {}}', b"\xff"])
def test_what_is_no_record_is_kept_and_refused(config: BenchmarkConfig, content: bytes) -> None:
    config.out.mkdir()
    (config.out / FILE).write_bytes(content)
    with pytest.raises(InputError, match=r"benchmark.json' is no record of a benchmark; valid is another --out"):
        Record(config)
    assert (config.out / FILE).read_bytes() == content


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="can't be made a folder"):
        Record(BenchmarkConfig(out=tmp_path / "file" / "out"))
