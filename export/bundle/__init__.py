"""A bundle's files and how they are opened. Runs on a robot: numpy alone."""
