"""What may import what: a robot installs little, training knows no simulator, and the arrows run one way."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("sim", "policies", "export")
ON_ROBOT = (
    "sim.errors",
    "sim.scene",
    "sim.layout",
    "sim.observation",
    "export.schema",
    "export.bundle",
    "export.guard",
    "export.onnx_bytes",
    "export.runtime",
    "export.wire",
    "export.stop_latch",
    "export.inbox",
    "export.pilot",
    "export.gate",
    "export.robot_loop",
    "export.robot_report",
    "export.transport",
    "export.stop_service",
    "export.robot",
    "export.robot_commands",
)
TRANSPORT = {"export.transport", "export.stop_service", "export.robot", "export.robot_commands"}
NOT_ON_ROBOT = {
    "torch",
    "pybullet",
    "pettingzoo",
    "gymnasium",
    "numba",
    "onnx",
    "onnxscript",
    "safetensors",
    "scipy",
    "tyro",
    "rich",
}
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).glob("*.py"))


def imports(path: Path) -> set[str]:
    """The modules that a file imports anywhere in it, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; the folder is the import path"
            module = node.module or ""
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return found


def packages(path: Path) -> set[str]:
    return {module.partition(".")[0] for module in imports(path)}


def loaded_after(*modules: str) -> set[str]:
    """The top-level packages in a fresh Python after importing the modules."""
    code = f"import {', '.join(modules)}, sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_a_robot_needs_numpy_onnxruntime_and_zenoh_alone() -> None:
    loaded = loaded_after(*ON_ROBOT, "fleetmix")
    assert {"numpy", "onnxruntime", "zenoh"} <= loaded
    assert not loaded & NOT_ON_ROBOT
    for module in ON_ROBOT:
        foreign = packages(ROOT / f"{module.replace('.', '/')}.py") - set(sys.stdlib_module_names)
        assert foreign <= {"numpy", "onnxruntime", *PACKAGES, *(["zenoh"] if module in TRANSPORT else [])}, module


def test_a_policy_alone_needs_no_transport() -> None:
    assert "zenoh" not in loaded_after(*(module for module in ON_ROBOT if module not in TRANSPORT))


def test_what_a_robot_runs_imports_only_what_a_robot_runs() -> None:
    for module in ON_ROBOT:
        own = {name for name in imports(ROOT / f"{module.replace('.', '/')}.py") if name.split(".")[0] in PACKAGES}
        modules = {".".join(name.split(".")[:2]) for name in own} - set(PACKAGES)
        assert modules <= {*ON_ROBOT, "export.signature"}, module  # which is imported only where a key is trusted


def test_a_robot_can_read_its_map_without_onnxruntime() -> None:
    assert "onnxruntime" not in loaded_after("sim.layout", "sim.observation", "export.bundle")


@pytest.mark.slow
def test_the_simulator_never_loads_torch() -> None:
    names = [f"sim.{path.stem}" for path in (ROOT / "sim").glob("*.py") if path.stem != "__init__"]
    assert not loaded_after(*names) & {"torch", "onnx", "onnxruntime"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_the_arrows_run_one_way(path: Path) -> None:
    above = {"sim": {"policies", "export", "torch"}, "policies": {"export"}, "export": set()}
    assert not packages(path) & above[path.parent.name]
    assert "fleetmix" not in packages(path)


@pytest.mark.parametrize("name", ["agent", "mixers", "learner", "replay"])
def test_learning_sees_tensors_alone(name: str) -> None:
    assert not packages(ROOT / "policies" / f"{name}.py") & {"sim", "export", "pettingzoo", "gymnasium"}


def test_only_the_world_knows_bullet() -> None:
    assert [path.stem for path in MODULES if packages(path) & {"pybullet", "pybullet_data"}] == ["world"]


def test_nothing_unpickles() -> None:
    for path in [*MODULES, ROOT / "fleetmix.py"]:
        assert not packages(path) & {"pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}, path
