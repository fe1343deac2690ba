"""From the trained network and the controller to ONNX graphs, and the bundle that holds them."""
