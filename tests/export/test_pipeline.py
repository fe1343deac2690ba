import dataclasses
import shutil
from pathlib import Path

import pytest
import torch

from export.bundle.files import is_bundle
from export.pipeline import bundle_of, export_run, verify_path
from export.runtime import OnnxPolicy
from export.verify.policy import VerifyError
from policies.config import AgentConfig
from policies.environments import EnvSource, TeamEnv
from policies.runs.checkpoint import Checkpoint, CheckpointInfo, save_checkpoint
from policies.runs.config import TrainConfig
from policies.runs.folder import Run, new_run
from sim.errors import InputError
from tests.export.conftest import MLP, SCENE, make_agent

INFO = CheckpointInfo(
    steps=1000, updates=5, seconds=1.0, algo="vdn", seed=9, n_agents=2, n_actions=8, best_return=0.5,
    validation={"team_return": 0.25}, validated_steps=1000, validation_steps=10, random=[],
)  # fmt: skip


def save(run: Run, info: CheckpointInfo, agent: torch.nn.Module) -> None:
    parts = ("agent", "target_agent")  # as a learner's state: which of them drives is not this file's business
    tensors = {f"{part}.{name}": value.clone() for part in parts for name, value in agent.state_dict().items()}
    save_checkpoint(run.checkpoints, "best", Checkpoint(tensors, info))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of two robots with one checkpoint, as if trained."""
    run = new_run(tmp_path / "run", TrainConfig(scene=SCENE, algo="vdn", agent=MLP))
    run.path.mkdir()
    run.write()
    save(run, INFO, make_agent(MLP))
    return run


@pytest.mark.slow
def test_a_run_becomes_a_bundle_that_tells_its_origin_and_is_verified(run: Run) -> None:
    bundle = export_run(run).path
    assert bundle == run.path / "bundle"
    metadata = OnnxPolicy(bundle / "robot_1.onnx").metadata
    assert (metadata.algorithm, metadata.training_steps, metadata.seed) == ("vdn", 1000, 9)
    assert metadata.evaluation == {"team_return": 0.25}
    assert metadata.scene == SCENE
    for path in (run.path, bundle):  # a bundle in its run folder is held against the run
        assert "against torch" in str(verify_path(path, episodes=1))
    moved = Path(shutil.copytree(bundle, run.path.parent / "elsewhere"))
    assert "NOT verified" in str(verify_path(moved, episodes=1))


def test_the_last_evaluation_travels_with_the_files(run: Run) -> None:
    (run.path / "evaluation.json").write_text('[{"policy": "VDN", "throughput": 81.25}]')
    bundle = export_run(run, run.path.parent / "out").path
    assert OnnxPolicy(bundle / "robot_0.onnx").metadata.evaluation == [{"policy": "VDN", "throughput": 81.25}]


def test_a_bundle_of_an_earlier_checkpoint_fails_and_is_renewed_to_drive(run: Run) -> None:
    bundle = bundle_of(run.path)
    assert bundle_of(bundle) == bundle
    before = (bundle / "manifest.json").stat().st_mtime_ns
    assert bundle_of(run.path) == bundle
    assert (bundle / "manifest.json").stat().st_mtime_ns == before  # still the best checkpoint: nothing to do
    save(run, dataclasses.replace(INFO, steps=2000), make_agent(MLP, seed=2))
    with pytest.raises(VerifyError, match="training_steps is 1000; expected is 2000"):
        verify_path(run.path)
    bundle_of(run.path)
    assert OnnxPolicy(bundle / "robot_0.onnx").metadata.training_steps == 2000


def test_neither_run_nor_bundle_is_refused(tmp_path: Path, run: Run) -> None:
    for path in (tmp_path / "missing", tmp_path):
        for use in (verify_path, bundle_of):
            with pytest.raises(InputError, match="neither a run folder"):
                use(path)
    shutil.rmtree(run.checkpoints)
    with pytest.raises(InputError, match=r"checkpoint .* is missing"):
        export_run(run)
    assert not is_bundle(run.path / "bundle")


def test_another_environment_is_exported_with_its_bounds(tmp_path: Path) -> None:
    config = TrainConfig(env="mpe2.simple_spread_v3:parallel_env", agent=AgentConfig("mlp", hidden=8))
    run = new_run(tmp_path / "run", config)
    run.path.mkdir()
    run.write()
    env = TeamEnv(EnvSource(factory=config.env))
    team = env.team
    env.close()
    from policies.agent import AgentNetwork

    agent = AgentNetwork(len(team.agents), torch.from_numpy(team.observation_scale), team.n_actions, config.agent)
    save(run, dataclasses.replace(INFO, n_agents=len(team.agents), n_actions=team.n_actions), agent)
    report = verify_path(run.path, episodes=1)
    assert report.tally.decisions == 3 * (1000 + 25)  # simple_spread: 3 agents, 25 steps
    policy = OnnxPolicy(run.path / "bundle" / "robot_2.onnx")
    assert policy.actions == ("0", "1", "2", "3", "4")
    assert [f.name for f in policy.spec.fields] == ["observation"]
