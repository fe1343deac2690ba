"""Simulated bases that robots' processes connect to."""
