"""The flight recorder's near side: what happens is copied and handed to a process of its own, which writes it."""
