"""A bundle held against the trained network and the compiled controller."""
