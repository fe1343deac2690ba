from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sim.env import WarehouseEnv


@pytest.fixture
def make() -> Iterator[Callable[..., WarehouseEnv]]:
    """Builds environments that are closed after the test."""
    made: list[WarehouseEnv] = []

    def build(*args: Any, **settings: Any) -> WarehouseEnv:
        made.append(WarehouseEnv(*args, **settings))
        return made[-1]

    yield build
    for env in made:
        env.close()
