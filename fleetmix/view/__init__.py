"""The live view: a fleet in three dimensions in the browser, while it drives, simulated or by its processes."""
