import json
from pathlib import Path

import numpy as np
import pytest
from mcap.writer import Writer

from export.recordings.reader import read_recording
from sim.errors import InputError
from tests.export.recordings.conftest import Driven


def test_what_was_recorded_is_read(driven: Driven) -> None:
    recording = read_recording(driven.file)
    assert recording.whole
    assert recording.about.robots == ("robot_0", "robot_1", "robot_2")
    assert recording.poses.shape == (800, 3, 3)
    assert recording.episodes == [0.0, 40.0]
    np.testing.assert_allclose(recording.poses[::4, :, :2], driven.poses[:, :, :2], atol=1e-4)
    assert len(recording.decisions) == len(driven.maneuvers)
    slower = np.abs(recording.commands[..., 0]) <= np.abs(recording.wanted[..., 0]) + 0.21  # braking takes its time
    assert slower.mean() > 0.95


@pytest.mark.parametrize("share", [0.3, 0.7, 0.99])
def test_a_recording_cut_short_is_read_up_to_there(driven: Driven, tmp_path: Path, share: float) -> None:
    data = driven.file.read_bytes()
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(data[: int(share * len(data))])
    recording, whole = read_recording(cut), read_recording(driven.file)
    assert not recording.whole
    count = len(recording.times)
    assert 0 < count < len(whole.times) or share == 0.99
    np.testing.assert_array_equal(recording.poses, whole.poses[:count])


def refused(path: Path) -> str:
    with pytest.raises(InputError) as error:
        read_recording(path)
    message = str(error.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_what_is_no_recording_is_refused_by_name(driven: Driven, tmp_path: Path) -> None:
    assert "is" in refused(tmp_path / "missing.mcap")
    (tmp_path / "empty.mcap").write_bytes(b"")
    refused(tmp_path / "empty.mcap")
    (tmp_path / "text.mcap").write_text("not a recording\n" * 100)
    assert "no MCAP file" in refused(tmp_path / "text.mcap")
    (tmp_path / "cut.mcap").write_bytes(driven.file.read_bytes()[:2000])
    refused(tmp_path / "cut.mcap")


@pytest.mark.parametrize(("metadata", "says"), [(None, "does not say"), ({"version": "99"}, "version 99")])
def test_another_version_is_refused(tmp_path: Path, metadata: dict[str, str] | None, says: str) -> None:
    path = tmp_path / "other.mcap"
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start()
        if metadata is not None:
            writer.add_metadata("fleetmix", {name: json.dumps(int(value)) for name, value in metadata.items()})
        writer.finish()
    assert says in refused(path)
