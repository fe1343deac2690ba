import dataclasses
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from policies.files import write_atomically
from policies.runs.checkpoint import Checkpoint, CheckpointInfo, load_checkpoint, save_checkpoint
from sim.errors import InputError


def checkpoint(steps: int, size: int = 1000) -> Checkpoint:
    random = [dict(np.random.default_rng(steps).bit_generator.state)]
    info = CheckpointInfo("qmix", 0, 4, 8, steps=steps, best_return=1 / 3, validation={"return": 0.1}, random=random)
    tensors = {"agent.weight": torch.full((size,), float(steps)), "updates": torch.tensor(steps)}
    return Checkpoint(tensors, info)


def assert_same(one: Checkpoint, two: Checkpoint) -> None:
    assert one.info == two.info
    assert one.tensors.keys() == two.tensors.keys()
    assert all(torch.equal(one.tensors[name], two.tensors[name]) for name in one.tensors)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_what_is_saved_comes_back_to_the_last_bit(tmp_path):
    save_checkpoint(tmp_path / "checkpoints", "newest", checkpoint(7))
    loaded = load_checkpoint(tmp_path / "checkpoints", "newest")
    assert_same(loaded, checkpoint(7))
    generator = np.random.default_rng()
    generator.bit_generator.state = loaded.info.random[0]
    assert generator.random() == np.random.default_rng(7).random()


def test_only_files_that_are_named_stay(tmp_path):
    save_checkpoint(tmp_path, "newest", checkpoint(1))
    save_checkpoint(tmp_path, "best", checkpoint(1))
    assert len(list(tmp_path.glob("*.safetensors"))) == 1  # the same tensors are kept once
    for steps in (2, 3, 4):
        save_checkpoint(tmp_path, "newest", checkpoint(steps))
    assert len(list(tmp_path.iterdir())) == 4  # two JSON files, tensors of steps 1 and 4
    assert_same(load_checkpoint(tmp_path, "best"), checkpoint(1))
    assert_same(load_checkpoint(tmp_path, "newest"), checkpoint(4))


@pytest.mark.parametrize("failing", [1, 2])
def test_a_save_that_breaks_off_leaves_the_old_checkpoint(tmp_path, monkeypatch, failing: int):
    save_checkpoint(tmp_path, "newest", checkpoint(1))
    calls = []

    def stop(source: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == failing:
            raise KeyboardInterrupt
        return original(source, target)

    original = Path.replace
    monkeypatch.setattr(Path, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(tmp_path, "newest", checkpoint(2))
    assert_same(load_checkpoint(tmp_path, "newest"), checkpoint(1))
    save_checkpoint(tmp_path, "newest", checkpoint(3))
    assert len(list(tmp_path.iterdir())) == 2  # nothing of the broken one is left


def test_a_full_disk_keeps_the_last_good_checkpoint(small_disk):
    save_checkpoint(small_disk, "newest", checkpoint(1, size=6000))  # 24 KB, so that a second one fits ...
    save_checkpoint(small_disk, "newest", checkpoint(2, size=6000))
    with pytest.raises(InputError, match=r"can't write .*step_000000003.*No space left on device"):
        save_checkpoint(small_disk, "newest", checkpoint(3, size=12000))  # ... and one of 48 KB does not
    assert_same(load_checkpoint(small_disk, "newest"), checkpoint(2, size=6000))
    assert len(list(small_disk.iterdir())) == 2
    save_checkpoint(small_disk, "newest", checkpoint(4, size=6000))
    assert load_checkpoint(small_disk, "newest").info.steps == 4


def test_a_full_disk_keeps_any_file(small_disk):
    write_atomically(small_disk / "table.json", b"old")
    with pytest.raises(InputError, match=r"table\.json.*No space left"):
        write_atomically(small_disk / "table.json", b"x" * 100_000)
    assert (small_disk / "table.json").read_bytes() == b"old"
    assert len(list(small_disk.iterdir())) == 1


def cut(folder: Path) -> None:
    (tensors,) = folder.glob("*.safetensors")
    tensors.write_bytes(tensors.read_bytes()[:-1])


def flip(folder: Path) -> None:
    (tensors,) = folder.glob("*.safetensors")
    data = bytearray(tensors.read_bytes())
    data[-1] ^= 1
    tensors.write_bytes(data)


def remove(folder: Path) -> None:
    (tensors,) = folder.glob("*.safetensors")
    tensors.unlink()


def cut_json(folder: Path) -> None:
    text = (folder / "newest.json").read_text()
    (folder / "newest.json").write_text(text[: len(text) // 2])


def strip_json(folder: Path) -> None:
    values = json.loads((folder / "newest.json").read_text())
    del values["algo"]
    (folder / "newest.json").write_text(json.dumps(values))


def remove_json(folder: Path) -> None:
    (folder / "newest.json").unlink()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (cut, ["step_000000001", "bytes"]),
        (flip, ["step_000000001", "changed", "SHA-256"]),
        (remove, ["step_000000001", "No such file"]),
        (cut_json, ["newest.json", "not readable"]),
        (strip_json, ["newest.json", "not readable", "algo"]),
        (remove_json, ["newest.json", "missing"]),
    ],
)
def test_damage_is_named(tmp_path, damage, words):
    save_checkpoint(tmp_path, "newest", checkpoint(1))
    damage(tmp_path)
    with pytest.raises(InputError) as error:
        load_checkpoint(tmp_path, "newest")
    message = str(error.value)
    assert all(word in message for word in [*words, "valid is"]), message
    assert "\n" not in message


def test_a_checkpoint_of_an_earlier_version_is_refused_in_one_line(tmp_path):
    save_checkpoint(tmp_path, "best", checkpoint(1))
    pointer = tmp_path / "best.json"
    values = json.loads(pointer.read_text())
    del values["format"]  # the first format did not name itself
    pointer.write_text(json.dumps(values))
    with pytest.raises(InputError) as error:
        load_checkpoint(tmp_path, "best")
    advice = "train anew, or use the version of fleetmix that wrote it"
    assert str(error.value) == f"checkpoint {str(pointer)!r} has format 1; valid is 3: {advice}"


def test_a_listed_file_that_holds_no_tensors_is_refused(tmp_path):
    save_checkpoint(tmp_path, "newest", checkpoint(1))
    (tensors,) = tmp_path.glob("*.safetensors")
    tensors.write_bytes(b"x" * 10)
    import hashlib

    values = json.loads((tmp_path / "newest.json").read_text())
    values |= {"bytes": 10, "sha256": hashlib.sha256(b"x" * 10).hexdigest()}
    (tmp_path / "newest.json").write_text(json.dumps(values))
    with pytest.raises(InputError, match="holds no tensors"):
        load_checkpoint(tmp_path, "newest")


def test_validation_is_due_by_its_share_of_the_steps():
    info = dataclasses.replace(checkpoint(0).info, validated_steps=None)
    assert info.next_validation(0.03) == 0
    # 2,400 steps of validation are 3% of 80,000.
    info = dataclasses.replace(info, validated_steps=256, validation_steps=2400)
    assert info.next_validation(0.03) == pytest.approx(80_256)
    assert info.next_validation(0.03, every=1000) == 1256
