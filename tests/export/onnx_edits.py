"""Changes to ONNX files and bundles, as somebody would make them who knows how."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from export.bundle.files import MANIFEST
from export.bundle.manifest import open_bundle


def change_model(bundle: Path, file: str, output: str, add: Callable[[str, str], list[Any]]) -> None:
    """Puts nodes between a graph's output and what made it, and lists the new file in the manifest.

    Args:
        bundle: its folder.
        file: name of the ONNX file.
        output: name of the output.
        add: nodes (and constants) from the name of the inner value to the output.
    """
    model = onnx.load(bundle / file)
    for node in model.graph.node:
        node.output[:] = ["inner" if name == output else name for name in node.output]
        node.input[:] = ["inner" if name == output else name for name in node.input]
    for part in add("inner", output):
        (model.graph.initializer if isinstance(part, TensorProto) else model.graph.node).append(part)
    repin(bundle, file, model.SerializeToString())


def repin(bundle: Path, file: str, data: bytes) -> None:
    """Replaces a file and its entry in the manifest."""
    (bundle / file).write_bytes(data)
    manifest = open_bundle(bundle).manifest
    entry = replace(manifest.files[file], sha256=hashlib.sha256(data).hexdigest(), size=len(data))
    text = replace(manifest, files={**manifest.files, file: entry}).to_json()
    (bundle / MANIFEST).write_text(text)
    assert asdict(open_bundle(bundle).manifest)["files"][file]["size"] == len(data)


def constant(name: str, value: float) -> TensorProto:
    return helper.make_tensor(name, TensorProto.FLOAT, [], [value])


def rewrite(path: Path, change: "object" = None, key: str | None = None, value: str | None = None) -> Path:
    """The file alone in another folder, without manifest, changed."""
    model = onnx.load(path)
    if callable(change):
        change(model)
    if key is not None:
        onnx.helper.set_model_props(model, {key: value or ""})
    out = path.parent.parent / "changed.onnx"
    out.write_bytes(model.SerializeToString())
    return out
