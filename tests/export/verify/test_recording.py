import json
from pathlib import Path

import numpy as np
import pytest

from export.bundle.manifest import open_bundle
from export.fleet.onnx_policy import OnnxFleetPolicy
from export.fleet.recording import FleetRecording
from export.graphs.bundle_writer import write_bundle
from export.verify.policy import VerifyError
from export.verify.recording import verify_recording
from policies.evaluate import play
from sim.env import WarehouseEnv
from sim.errors import InputError
from sim.layout import load_layout
from tests.export.conftest import GRU, SCENE, make_agent, make_metadata


@pytest.fixture(scope="module")
def flight(gru_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two episodes of robots with a memory."""
    file = tmp_path_factory.mktemp("flight") / "flight.mcap"
    env, policy = WarehouseEnv(SCENE, layout=load_layout(SCENE.layout)), OnnxFleetPolicy(gru_bundle, 2)
    bundle, q_values = policy.manifest_hash, policy.last_q_values
    with FleetRecording(env.warehouse, file, policy.name, print, bundle, q_values):
        for seed in (0, 1):
            policy.reset(2)
            list(play(env, seed, policy.act))
    env.close()
    return file


def test_every_decision_is_made_again_by_the_bundle(flight: Path, gru_bundle: Path) -> None:
    report = verify_recording(flight, gru_bundle)
    assert "200 decisions of 2 robots" in str(report)
    assert "100% the same, Q values within 0" in str(report)
    assert not report.unchecked


def test_another_network_is_found_out(flight: Path, tmp_path: Path) -> None:
    other = write_bundle(make_agent(GRU, seed=2), make_metadata(GRU), tmp_path / "other", 2).path
    with pytest.raises(VerifyError, match=r"of 200 decisions in .*flight.mcap.* are not those of .*other"):
        verify_recording(flight, other)


def test_a_cut_recording_is_verified_as_far_as_it_goes(flight: Path, gru_bundle: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(flight.read_bytes()[: int(0.9 * flight.stat().st_size)])
    assert verify_recording(cut, gru_bundle).unchecked == ["what came after the recording was cut short"]


def test_another_map_is_refused(flight: Path, always_go: Path) -> None:
    with pytest.raises(InputError, match=r"is of the map 'crossing', which is not that of bundle"):
        verify_recording(flight, always_go)


def test_without_observations_there_is_nothing_to_replay(gru_bundle: Path, tmp_path: Path) -> None:
    file, env = tmp_path / "plain.mcap", WarehouseEnv(SCENE, layout=load_layout(SCENE.layout))
    with FleetRecording(env.warehouse, file, "pibt", print, planned=True):
        list(play(env, 0, lambda observations: np.zeros(len(observations), np.int64)))
    env.close()
    assert json.loads(open_bundle(gru_bundle).manifest_bytes)["layout"] == load_layout(SCENE.layout).text()
    with pytest.raises(InputError, match="holds no observations"):
        verify_recording(file, gru_bundle)
