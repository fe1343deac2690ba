"""The cache of compiled kernels, in copies of the package that can be edited."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sim

PACKAGE = Path(sim.__file__).parent
FOLDER = "from sim.kernels import cache_folder; print(cache_folder())"
CALLER = """
from sim.kernels import kernel
from sim.lidar import _axis

@kernel
def to_border(position):
    return _axis(position, 0, 1.0)[0]
"""
CALL = "from sim.caller import to_border as f; print(f(0.25), sum(f.stats.cache_hits.values()))"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with a copy of the package."""
    shutil.copytree(PACKAGE, tmp_path / "sim", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def start(copy: Path, code: str, **variables: str) -> subprocess.Popen[str]:
    """Start a Python that imports the copy."""
    inherited = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    environment = {**inherited, "PYTHONPATH": str(copy), **variables}
    return subprocess.Popen([sys.executable, "-c", code], cwd=copy, env=environment, stdout=subprocess.PIPE, text=True)


def printed(process: subprocess.Popen[str]) -> str:
    """Return what the process printed, once it has ended well."""
    output, _ = process.communicate()
    assert process.returncode == 0
    return output.strip()


@pytest.mark.slow
def test_an_edit_in_another_files_kernel_is_seen_by_processes_that_compile_at_once(copy: Path) -> None:
    (copy / "sim" / "caller.py").write_text(CALLER, encoding="utf-8")
    assert printed(start(copy, CALL)) == "0.75 0"
    assert printed(start(copy, CALL)) == "0.75 1"  # from the cache
    lidar = copy / "sim" / "lidar.py"
    source = lidar.read_text(encoding="utf-8")
    assert source.count("(cell + 1 - position)") == 1
    lidar.write_text(source.replace("(cell + 1 - position)", "(cell + 3 - position)"), encoding="utf-8")
    together = [start(copy, CALL) for _ in range(4)]
    assert {printed(process).split()[0] for process in together} == {"2.75"}
    assert printed(start(copy, CALL)) == "2.75 1"


def test_only_the_folder_of_the_present_sources_is_kept(copy: Path) -> None:
    first = Path(printed(start(copy, FOLDER)))
    assert first.parent == copy / "sim" / "__pycache__"
    assert Path(printed(start(copy, FOLDER))) == first
    with (copy / "sim" / "layout.py").open("a", encoding="utf-8") as file:
        file.write("# edited\n")
    second = Path(printed(start(copy, FOLDER)))
    assert list(second.parent.glob("kernels-*")) == [second] != [first]


def test_a_package_that_cannot_be_written_caches_for_the_user(copy: Path) -> None:
    (copy / "sim" / "__pycache__").write_text("a file, so that no folder can be made here", encoding="utf-8")
    folder = Path(printed(start(copy, FOLDER, XDG_CACHE_HOME=str(copy / "user"))))
    assert folder.is_relative_to(copy / "user")
    assert folder.is_dir()


def test_a_user_without_a_home_has_the_packages_cache(copy: Path) -> None:
    nobody = "import os, pwd; os.environ.pop('HOME', None); pwd.getpwuid = {}.__getitem__"
    folder = Path(printed(start(copy, f"{nobody}; {FOLDER}", XDG_CACHE_HOME="")))
    assert folder.parent == copy / "sim" / "__pycache__"


def test_where_nothing_can_be_written_kernels_compile_without_a_cache(copy: Path) -> None:
    (copy / "sim" / "__pycache__").write_text("", encoding="utf-8")
    (copy / "user").write_text("", encoding="utf-8")
    code = f"{FOLDER}; from sim.lidar import _axis; print(_axis(0.25, 0, 1.0)[0])"
    assert printed(start(copy, code, XDG_CACHE_HOME=str(copy / "user"))).split() == ["None", "0.75"]


def test_the_folder_that_numba_is_told_comes_first_and_stays_numbas(copy: Path) -> None:
    code = f"{FOLDER}; import sim.sensing, numba; print(numba.config.CACHE_DIR)"
    folder, told = printed(start(copy, code, NUMBA_CACHE_DIR=str(copy / "told"))).split()
    assert Path(folder).is_relative_to(copy / "told")
    assert told == str(copy / "told")
