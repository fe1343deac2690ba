"""Right of way by radio: what robots tell each other, and what each makes of what it hears."""
