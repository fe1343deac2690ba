"""Numba compiles on a first call, which no deadline for a single example allows for."""

from hypothesis import settings

settings.register_profile("suite", deadline=None)
settings.load_profile("suite")
