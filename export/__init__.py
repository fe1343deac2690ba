"""From a checkpoint to a robot: ONNX export, verification, and the runtime that a robot uses."""
