"""What may import what, told by folders: a robot installs little, and the arrows run one way."""

import subprocess
import sys
from itertools import pairwise

import pytest

from tests.house import FLOORS, MODULES, ON_ROBOT, ROOT, files, own_imports, packages

ROBOT_PACKAGES = {"numpy", "onnxruntime", "zenoh", "cryptography"}
TRANSPORT = {"zenoh", "cryptography"}
"""What a policy alone does without."""
NOT_ON_ROBOT = {
    "torch", "pybullet", "pettingzoo", "gymnasium", "numba", "onnx", "onnxscript", "safetensors", "scipy", "tyro",
    "rich",
}  # fmt: skip


def loaded_after(*names: str) -> set[str]:
    """The top-level packages in a fresh Python after importing the modules."""
    code = f"import {', '.join(names)}, sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_a_robot_needs_numpy_onnxruntime_zenoh_and_cryptography_alone() -> None:
    loaded = loaded_after(*sorted(ON_ROBOT), "fleetmix")
    assert loaded >= ROBOT_PACKAGES
    assert not loaded & NOT_ON_ROBOT
    for name in ON_ROBOT:
        foreign = packages(MODULES[name]) - set(sys.stdlib_module_names) - set(FLOORS)
        assert foreign <= ROBOT_PACKAGES, name


def test_what_a_robot_runs_imports_only_what_a_robot_runs() -> None:
    for name in ON_ROBOT:
        assert own_imports(name) - {"sim", "export", "fleetmix"} <= ON_ROBOT, name


def test_a_policy_alone_needs_no_transport() -> None:
    assert not loaded_after("export.runtime") & TRANSPORT


def test_messages_and_pilot_need_no_transport() -> None:
    assert not loaded_after("export.protocol.messages", "export.robot.pilot", "export.robot.loop") & TRANSPORT


def test_a_robot_can_read_its_map_without_onnxruntime() -> None:
    assert "onnxruntime" not in loaded_after("sim.layout", "sim.observation", "export.bundle.manifest")


@pytest.mark.slow
def test_the_simulator_never_loads_torch() -> None:
    names = [name for name in MODULES if name.startswith("sim.")]
    assert "sim.physics.world" in names
    assert not loaded_after(*names) & {"torch", "onnx", "onnxruntime"}


@pytest.mark.parametrize("name", MODULES)
def test_the_arrows_run_one_way(name: str) -> None:
    above = set(FLOORS[FLOORS.index(name.partition(".")[0]) + 1 :])
    assert not packages(MODULES[name]) & above
    if name.startswith("sim"):
        assert "torch" not in packages(MODULES[name])


def test_no_module_imports_itself_over_others() -> None:
    """No circle, not even through an import inside a function."""
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, f"a circle: {' -> '.join((*way[way.index(name) :], name))}"
        if name in done:
            return
        for below in sorted(own_imports(name) - {name.partition(".")[0]}):
            visit(below, (*way, name))
        done.add(name)

    for name in MODULES:
        visit(name, ())


@pytest.mark.parametrize("name", ["agent", "mixers", "learner", "replay"])
def test_learning_sees_tensors_alone(name: str) -> None:
    assert not packages(MODULES[f"policies.{name}"]) & {"sim", "export", "pettingzoo", "gymnasium"}


def test_only_one_file_knows_pybullet_and_one_folder_bullet() -> None:
    knows = {name for name, path in MODULES.items() if packages(path) & {"pybullet", "pybullet_data"}}
    assert len(knows) == 1
    assert all(name.startswith("sim.physics.") for name in knows)


def test_nothing_unpickles() -> None:
    for path in [*MODULES.values(), *files("benchmarks")]:
        assert not packages(path) & {"pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}, path


def test_the_floors_stand_on_each_other() -> None:
    """Each floor uses the one below it, or it would not be one."""
    for below, above in pairwise(FLOORS):
        assert any(below in packages(path) for name, path in MODULES.items() if name.startswith(f"{above}."))
