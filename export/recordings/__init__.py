"""Recordings as files: MCAP with messages that ROS 2 and its tools know, written by a process of its own, and read."""
