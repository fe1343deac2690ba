import dataclasses
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from policies.config import AgentConfig
from policies.runs.folder import load_agent, load_run
from policies.train import train
from sim.errors import InputError
from sim.scene import SceneConfig
from tests.policies.tiny_runs import TINY, config, rows


def test_a_run_folder_holds_everything(tmp_path):
    (tmp_path / "floor.map").write_text("....\n.##.\nS..S\n")
    scene = SceneConfig(layout=str(tmp_path / "floor.map"), robots=2, time_limit=12.0)
    settings = config(env="", scene=scene, steps=64, warmup=4)
    train(settings, tmp_path / "run")
    (tmp_path / "floor.map").unlink()
    run = load_run(tmp_path / "run")
    assert run.config == settings
    assert run.source.parsed_layout().columns == 4
    agent, info = load_agent(run, "newest")
    assert (agent.n_agents, info.n_actions, info.steps) == (2, 8, 64)
    assert {"throughput", "efficiency", "robot_contacts", "rack_contacts"} <= info.validation.keys()
    board = EventAccumulator(str(run.path / "tensorboard")).Reload()
    assert [event.step for event in board.Scalars("train/epsilon")] == [int(row["steps"]) for row in rows(run.path)]
    assert train(dataclasses.replace(settings, steps=128), run.path, resume=True).steps == 128  # without the map file


def test_a_folder_that_holds_a_run_is_not_overwritten(tmp_path):
    train(config(steps=32), tmp_path)
    with pytest.raises(InputError, match=r"already holds a run; valid is another folder, or --resume"):
        train(config(steps=32), tmp_path)
    with pytest.raises(InputError, match=r"steps is 32, but run .* already has 32; valid is more"):
        train(config(steps=32), tmp_path, resume=True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"algo": "vdn"}, ["algo is 'vdn'", "'qmix'"]),
        ({"agent": AgentConfig("gru", 16)}, ["agent.kind is 'gru'", "'mlp'"]),
        ({"team_reward": "sum"}, ["team_reward is 'sum'", "'mean'"]),
        ({"truncation": "end"}, ["truncation is 'end'", "'bootstrap'"]),
        ({"env": ""}, ["env is ''", f"'{TINY}:Guess'"]),
        ({"env": f"{TINY}:Uneven"}, [f"env is '{TINY}:Uneven'", f"'{TINY}:Guess'"]),
    ],
)
def test_a_run_is_resumed_as_what_it_is(tmp_path, changes: dict[str, Any], words: list[str]):
    train(config(steps=32), tmp_path)
    with pytest.raises(InputError) as error:
        train(config(steps=64, **changes), tmp_path, resume=True)
    assert all(word in str(error.value) for word in [*words, "--resume needs the same"]), str(error.value)


def test_a_warehouse_run_is_resumed_in_its_scene(tmp_path):
    scene = SceneConfig("crossing", robots=2, time_limit=2.0)
    train(config(env="", scene=scene, steps=32), tmp_path)
    with pytest.raises(InputError, match=r"scene is 'aisle', .*'crossing'"):
        train(config(env="", scene=dataclasses.replace(scene, layout="aisle")), tmp_path, resume=True)
    with pytest.raises(InputError, match=r"robots is 3, .*has 2"):
        train(config(env="", scene=dataclasses.replace(scene, robots=3)), tmp_path, resume=True)
    (tmp_path / "layout.map").unlink()
    with pytest.raises(InputError, match=r"layout\.map.* can't be read"):
        load_run(tmp_path)


def test_half_written_run_folders_are_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere.* does not exist"):
        train(config(), tmp_path / "nowhere", resume=True)
    run = tmp_path / "run"
    train(config(steps=32), run)
    text = (run / "config.yaml").read_text()
    for broken, words in ((text[:40], "config.yaml"), ("", "holds no settings"), (text + "speed: 3\n", "speed")):
        (run / "config.yaml").write_text(broken)
        with pytest.raises(InputError, match=words):
            load_run(run)
    (run / "config.yaml").unlink()
    with pytest.raises(InputError, match=r"has no config\.yaml"):
        load_run(run)
    with pytest.raises(InputError, match="already holds a run"):
        train(config(steps=32), run)


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    train(config(steps=32), tmp_path)
    text = (tmp_path / "config.yaml").read_text()
    (tmp_path / "config.yaml").write_text(text.replace("hidden: 16", "hidden: 24"))
    with pytest.raises(InputError, match=r"does not fit its config\.yaml"):
        load_agent(load_run(tmp_path))
