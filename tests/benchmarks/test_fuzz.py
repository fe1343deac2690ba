"""Some thousand inputs of the million that `benchmarks.fuzz` throws at what a robot reads, and hypothesis's own."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import fuzz
from export.bundle.files import MANIFEST
from export.bundle.manifest import parse_manifest
from export.bundle.metadata import read_metadata
from export.bundle.onnx_file import check_onnx_bytes
from sim.errors import InputError
from tests.export.conftest import MLP, make_metadata

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.slow
def test_broken_input_is_refused_and_moves_nothing(tmp_path: Path) -> None:
    for name, (target, seeds) in fuzz.targets(tmp_path).items():
        rng, outcomes = np.random.default_rng(1), Counter[str]()
        for i in range(6000):
            outcomes[target(fuzz.mutate(seeds[i % len(seeds)], rng))] += 1
        assert set(outcomes) <= {"refused", "stopped", "read", "valid again", "unchanged"}, name
        assert outcomes["refused"] > 1000, name


def test_the_fuzzer_would_notice_a_robot_that_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the checksum, flipped bits pass for sensors."""
    monkeypatch.setattr("export.protocol.framing.zlib.crc32", lambda data: 0)
    messages = fuzz.Messages()
    rng = np.random.default_rng(0)
    assert "moved" in {messages(fuzz.mutate(messages.seeds[i % 3], rng)) for i in range(3000)}


def read_or_refuse(read: Callable[[], Any]) -> Any:
    """What was read, or none where it was refused in one line."""
    said = ""
    try:
        return read()
    except InputError as error:
        said = str(error)
    assert said
    assert "\n" not in said
    return None


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(data: bytes) -> None:
    for read in (
        lambda: parse_manifest(data, "manifest"),
        lambda: read_metadata(data.decode(errors="replace"), "file"),
        lambda: check_onnx_bytes(data, "file"),
    ):
        with pytest.raises(InputError):
            read()


@given(st.data())
def test_a_manifest_with_another_value_anywhere_is_read_or_refused(mlp_bundle: Path, data: st.DataObject) -> None:
    values = json.loads((mlp_bundle / MANIFEST).read_text())
    place, key = values, data.draw(st.sampled_from(sorted(values)))
    while isinstance(place[key], dict) and place[key] and data.draw(st.booleans()):
        place, key = place[key], data.draw(st.sampled_from(sorted(place[key])))
    place[key] = data.draw(json_values)
    manifest = read_or_refuse(lambda: parse_manifest(json.dumps(values).encode(), "manifest"))
    assert manifest is None or set(manifest.robots.values()) <= set(manifest.files)


@given(st.data())
def test_metadata_with_another_value_anywhere_is_read_or_refused(data: st.DataObject) -> None:
    values = json.loads(make_metadata(MLP).to_json())
    values[data.draw(st.sampled_from(sorted(values)))] = data.draw(json_values)
    read_or_refuse(lambda: read_metadata(json.dumps(values), "file"))
