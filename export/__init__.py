"""From a checkpoint to a robot: ONNX export, verification, and the runtime that a robot uses."""

import os

# onnxruntime (from 1.32) keeps a device number in the user's folder and sends what it runs on to its maker, unless told
# not to before it is loaded. A robot talks to its base and to nobody else.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
