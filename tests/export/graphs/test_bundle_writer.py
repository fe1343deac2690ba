import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.bundle.files import MANIFEST
from export.bundle.manifest import open_bundle, read_pinned
from export.bundle.metadata import read_metadata
from export.graphs.bundle_writer import write_bundle
from sim.errors import InputError
from tests.export.conftest import MLP, make_agent, make_metadata


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_every_robot_has_a_file_of_its_own_pinned_by_hash(bundle: Path) -> None:
    manifest = open_bundle(bundle).manifest
    assert manifest.robots == {"robot_0": "robot_0.onnx", "robot_1": "robot_1.onnx"}
    assert manifest.controller == "controller.onnx"
    assert {path.name for path in bundle.iterdir()} == {MANIFEST, *manifest.files}
    for name, entry in manifest.files.items():
        data = (bundle / name).read_bytes()
        assert (entry.sha256, entry.size) == (hashlib.sha256(data).hexdigest(), len(data))
        assert str(Path.cwd()).encode() not in data  # nothing of the machine that made it
        assert b"site-packages" not in data
    assert manifest.layout == make_metadata(MLP).layout


def test_an_earlier_bundle_is_replaced_whole(tmp_path: Path, gru_bundle: Path) -> None:
    out = Path(shutil.copytree(gru_bundle, tmp_path / "bundle"))
    write_bundle(make_agent(MLP), make_metadata(MLP), out, robots=1)
    assert {path.name for path in out.iterdir()} == {MANIFEST, "controller.onnx", "robot_0.onnx"}
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


@pytest.mark.parametrize("content", ["file", "folder", "foreign file beside a bundle", "link"])
def test_anything_else_in_its_place_stays_untouched(tmp_path: Path, mlp_bundle: Path, content: str) -> None:
    out = tmp_path / "out"
    if content == "file":
        out.write_text("precious")
    elif content == "folder":
        out.mkdir()
        (out / "precious.txt").write_text("precious")
    elif content == "link":
        out.symlink_to(mlp_bundle)
    else:
        shutil.copytree(mlp_bundle, out)
        (out / "precious.txt").write_text("precious")
    before = snapshot(tmp_path)
    with pytest.raises(InputError, match="valid is a new folder, an empty one, or an earlier bundle"):
        write_bundle(make_agent(MLP), make_metadata(MLP), out, robots=1)
    assert snapshot(tmp_path) == before


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from typing import Any
from tests.export.conftest import MLP, make_agent, make_metadata
from export.graphs.bundle_writer import write_bundle
agent = make_agent(MLP)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
write_bundle(agent, make_metadata(MLP), Path(sys.argv[1]), robots=1)
"""


@pytest.mark.slow
def test_a_disk_that_takes_no_more_leaves_the_old_bundle(tmp_path: Path, mlp_bundle: Path) -> None:
    out = Path(shutil.copytree(mlp_bundle, tmp_path / "bundle"))
    before = snapshot(tmp_path)
    result = subprocess.run([sys.executable, "-c", FULL_DISK, str(out)], capture_output=True, text=True, check=False)
    assert "InputError: bundle" in result.stderr
    assert "can't be written: File too large" in result.stderr
    assert snapshot(tmp_path) == before


def test_a_changed_byte_a_missing_entry_and_a_cut_file_are_refused(bundle: Path) -> None:
    path = bundle / "robot_1.onnx"
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(InputError, match=r"robot_1\.onnx: its bytes were changed: sha256 is"):
        read_pinned(path)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=rf"has {len(data) // 2} bytes, but manifest\.json says {len(data)}"):
        read_pinned(path)
    path.rename(bundle / "robot_9.onnx")
    with pytest.raises(
        InputError, match=r"manifest\.json does not list robot_9\.onnx; it lists 'controller\.onnx', 'robot_0\.onnx'"
    ):
        read_pinned(bundle / "robot_9.onnx")
    with pytest.raises(InputError, match=r"robot_1\.onnx: can't be read \(No such file or directory\)"):
        read_pinned(path)


def change(values: dict[str, Any], *keys: str, to: object) -> None:
    for key in keys[:-1]:
        values = values[key]
    values[keys[-1]] = to


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (["schema_version"], 99, "schema version is 99; this release reads 3"),
        (["robots"], {}, "lists no robot"),
        (["robots", "robot_0"], "other.onnx", "'other.onnx' is used but not listed"),
        (["controller"], "other.onnx", "'other.onnx' is used but not listed"),
        (["files", "robot_0.onnx", "sha256"], "abc", "the entry of 'robot_0.onnx' is not valid"),
        (["files", "../robot_0.onnx"], {"sha256": "0" * 64, "size": 1}, "is not valid; needed: a plain name"),
        (["files"], 3, "the manifest is not readable"),
        (["surprise"], 3, "the manifest is not readable"),
        (["shared"], "yes", "shared"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(
    mlp_bundle: Path, tmp_path: Path, keys: list[str], value: object, message: str
) -> None:
    values = json.loads((mlp_bundle / MANIFEST).read_text())
    change(values, *keys, to=value)
    (tmp_path / MANIFEST).write_text(json.dumps(values))
    with pytest.raises(InputError, match=message):
        open_bundle(tmp_path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=8,
)


def damage(data: st.DataObject, target: Any) -> None:
    """Puts something else in the place of some value, however deep."""
    while True:
        keys = sorted(target) if isinstance(target, dict) else range(len(target))
        key = data.draw(st.sampled_from(keys))
        inner = target[key]
        if not (isinstance(inner, dict | list) and inner) or data.draw(st.booleans()):
            target[key] = data.draw(json_values)
            return
        target = inner


@given(data=st.data())
def test_no_manifest_or_metadata_crashes_a_reader(
    data: st.DataObject, mlp_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "fuzz"
    folder.mkdir(exist_ok=True)
    values = json.loads((mlp_bundle / MANIFEST).read_text())
    metadata = json.loads(make_metadata(MLP).to_json())
    for target in (values, metadata):
        damage(data, target)
    (folder / MANIFEST).write_text(json.dumps(values))
    for read in (lambda: open_bundle(folder), lambda: read_metadata(json.dumps(metadata), "test")):
        try:
            read()
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017 the message of what may or may not be raised


@given(text=st.text(max_size=30))
def test_no_text_crashes_the_metadata_reader(text: str) -> None:
    with pytest.raises(InputError):
        read_metadata(text, "test")
