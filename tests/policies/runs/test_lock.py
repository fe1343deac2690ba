import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from policies.files import write_atomically
from policies.runs.lock import RunLock
from policies.train import train
from sim.errors import InputError
from tests.policies.tiny_runs import config

HOLD = """
import sys, time
from pathlib import Path
from policies.runs.lock import RunLock
with RunLock(Path(sys.argv[1])) as lock:
    lock.take()
    print("taken", flush=True)
    time.sleep(60)
"""
DIE_WHILE_SAVING = """
import os, signal, sys
from pathlib import Path
from policies.files import write_atomically
os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
write_atomically(Path(sys.argv[1]), b"half")
"""


def test_a_second_training_in_a_folder_is_refused_also_with_resume(tmp_path):
    run = tmp_path / "run"
    train(config(steps=32), run)
    with subprocess.Popen([sys.executable, "-c", HOLD, str(run)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "taken\n"
        with pytest.raises(InputError) as error:
            train(config(steps=64), run, resume=True)
        assert str(error.value) == (
            f"run folder {str(run)!r} is in use by another training (process {holder.pid}); valid is to let it end, or "
            "another folder with --run"
        )
        holder.send_signal(signal.SIGKILL)  # which holds nothing
        holder.wait(timeout=10)
    assert train(config(steps=64), run, resume=True).steps == 64


def test_of_two_that_begin_in_a_new_folder_at_once_one_is_refused(tmp_path):
    run = tmp_path / "run"
    with RunLock(run) as lock:
        lock.take()
        with pytest.raises(InputError, match="is in use by another training"):
            train(config(steps=32), run)
    assert train(config(steps=32), run).steps == 32


def test_what_a_killed_save_left_is_removed_at_the_next_start(tmp_path):
    run = tmp_path / "run"
    train(config(steps=32), run)
    for target in (run / "checkpoints" / "step_000000064_0.safetensors", run / "config.yaml"):
        killed = subprocess.run([sys.executable, "-c", DIE_WHILE_SAVING, str(target)])
        assert killed.returncode == -signal.SIGKILL
    left = list(run.rglob("*.tmp"))
    assert len(left) == 2
    others = {run / ".tmp", run / ".notes.tmp", run / ".notes.txt.tmp"}  # of another program
    for path in others:
        path.touch()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as alive:
        in_work = run / f".evaluation.json.{alive.pid}.tmp"  # of a process that is still writing it
        in_work.touch()
        train(config(steps=64), run, resume=True)
        assert set(run.rglob("*.tmp")) == {in_work, *others}
        alive.communicate(b"\n")


def test_a_process_that_gets_the_number_of_one_that_was_killed_can_write(tmp_path: Path):
    (tmp_path / f".table.json.{os.getpid()}.tmp").write_bytes(b"half")
    write_atomically(tmp_path / "table.json", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["table.json"]
