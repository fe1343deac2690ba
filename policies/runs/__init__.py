"""A training run on disk and on the terminal: settings, folder, checkpoints, log, progress."""
