"""A robot's process as a service: the unit is valid and shut off, and the container builds where there is a builder."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import fleetmix
from tests.house import ROOT

EXAMPLES = ROOT / "examples"
UNIT = EXAMPLES / "fleetmix-robot@.service"
CONTAINER = EXAMPLES / "Containerfile"
BUILDERS = ("podman", "buildah", "docker")
systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit of one robot, with a program that is there."""
    path = tmp_path / "fleetmix-robot@robot_3.service"
    path.write_text(UNIT.read_text().replace("/opt/fleetmix/bin/fleetmix", "/bin/true"))
    return path


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *map(str, arguments)], capture_output=True, text=True, timeout=60)


@systemd
def test_systemd_finds_no_fault_with_the_unit(unit: Path) -> None:
    result = analyze("verify", "--man=no", unit)
    assert (result.returncode, result.stdout + result.stderr) == (0, "")
    unit.write_text(unit.read_text().replace("ProtectHome=", "ProtektHome="))
    assert "ProtektHome" in analyze("verify", "--man=no", unit).stderr  # it would have said so


@systemd
def test_the_unit_leaves_little_exposed(unit: Path) -> None:
    result = analyze("security", "--offline=true", unit)
    if "unrecognized option" in result.stderr:
        pytest.skip("this systemd can't judge a unit that is not loaded")
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", result.stdout)
    assert found, result.stderr
    assert float(found[1]) < 2.0


def test_unit_and_container_call_the_command_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each gets as far as opening the bundle, so all its options are known."""
    settings = tmp_path / "zenoh.json"
    settings.write_text("{}")
    (start,) = re.findall(r"^ExecStart=\S+ (.*) --zenoh \S+$", UNIT.read_text(), re.MULTILINE)
    (run,) = re.findall(r"fleetmix-robot (--id .*) --zenoh \S+$", CONTAINER.read_text(), re.MULTILINE)
    for line in (start, f"robot {run}"):
        with pytest.raises(SystemExit) as stop:
            fleetmix.main([*line.replace("%i", "robot_3").split(), "--zenoh", str(settings)])
        assert stop.value.code == 2
        assert "bundle/manifest.json" in capsys.readouterr().err


def builder() -> str | None:
    """A program here that can build images, and get what they start from."""
    for name in BUILDERS:
        if shutil.which(name) and subprocess.run([name, "info"], capture_output=True, timeout=60).returncode == 0:
            return name
    return None


@pytest.mark.slow
def test_the_container_builds_and_runs() -> None:
    name = builder()
    if name is None:
        pytest.skip(f"none of {', '.join(BUILDERS)} works here")
    build = [name, "build", "-f", str(CONTAINER), "-t", "fleetmix-robot-test", str(ROOT)]
    result = subprocess.run(build, capture_output=True, text=True, timeout=1800)
    assert result.returncode == 0, result.stderr[-2000:]
    if name != "buildah":
        run = [name, "run", "--rm", "--read-only", "--cap-drop=all", "fleetmix-robot-test", "--help"]
        assert "--bundle" in subprocess.run(run, capture_output=True, text=True, timeout=120, check=True).stdout


def test_the_container_copies_all_that_the_package_is() -> None:
    copied = set(re.findall(r"^COPY (?!--from)(.*) /fleetmix\S*$", CONTAINER.read_text(), re.MULTILINE))
    sources = {source for line in copied for source in line.split()}
    assert sources == {
        "pyproject.toml",
        "constraints.txt",
        "README.md",
        "LICENSE",
        "sim",
        "policies",
        "export",
        "fleetmix",
    }
    assert all((ROOT / source).exists() for source in sources)
