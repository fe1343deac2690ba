"""Numba compiles on a first call, which no deadline for a single example allows for.

Every run tries the same examples, so that a change passes or fails by what it does; a search with other ones each time
belongs to `benchmarks/`.
"""

from hypothesis import settings

settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")
