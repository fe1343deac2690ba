"""One robot's process. Runs on a robot."""
