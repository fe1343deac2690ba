"""Somebody else's environment: found by the name of its factory, built, and held to PettingZoo's parallel interface."""

import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from pettingzoo import AECEnv, ParallelEnv

from sim.errors import InputError

STEP = ("observations", "rewards", "terminations", "truncations", "infos")
"""What a step returns, a dict each."""
_LARGEST = float(np.finfo(np.float32).max)


class EnvError(InputError):
    """An environment that does something else than the interface of PettingZoo asks for."""

    @classmethod
    def of(cls, env: str, found: str, valid: str) -> "EnvError":
        """Return the error of an environment by what it did, and what would be valid."""
        return cls(f"env {env}: {found}; valid is {valid}")


def build_env(name: str, folder: str = "", arguments: Mapping[str, Any] | None = None) -> "ParallelEnv[str, Any, int]":
    """Return what the factory `module:factory` makes.

    Args:
        name: of the factory; its module is looked for among what is installed and in the working folder.
        folder: where it is looked for as well.
        arguments: what the factory is called with, by name.

    Raises:
        InputError: there is no such factory.
        EnvError: it fails, or makes no parallel environment with agents.
    """
    factory = _find_factory(name, folder)
    try:
        inspect.signature(factory).bind(**(arguments or {}))
    except TypeError as error:
        raise EnvError(
            f"env {name!r}: {error}; valid is a factory that takes env_args, {dict(arguments or {})}"
        ) from error
    except ValueError:  # what is compiled may tell no signature
        pass
    with own_code(name, "its factory"):
        env = factory(**(arguments or {}))
    if isinstance(env, AECEnv):
        raise EnvError(
            f"env {name!r} made an AEC environment, whose agents act in turn; valid is a parallel one: "
            "pettingzoo.utils.conversions.aec_to_parallel(env) makes one where the game allows it"
        )
    if not isinstance(env, ParallelEnv):
        made = type(env).__name__
        raise EnvError(f"env {name!r} made a {made}; valid is a PettingZoo parallel environment")
    if not getattr(env, "possible_agents", None):
        raise EnvError(f"env {name!r} has no agents; valid is possible_agents with the name of each")
    try:
        inspect.signature(env.reset).bind(seed=0)
    except TypeError as error:
        raise EnvError(f"env {name!r}: its reset takes no seed; valid is reset(seed=None, options=None)") from error
    return env


@contextmanager
def own_code(env: str, what: str) -> Iterator[None]:
    """Turn an error of somebody else's code into an EnvError of one line that says where it was raised."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(last.filename).name}, line {last.lineno}"
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise EnvError(f"env {env}: {what} failed with {said} ({place}); valid is one that works") from error


def read_reset(env: str, returned: Any, agents: Sequence[str]) -> tuple[Any, Any]:
    """Return the observations and infos that a reset returned; raise EnvError where they or an agent are absent."""
    if not isinstance(returned, tuple) or [isinstance(part, Mapping) for part in returned] != [True, True]:
        raise EnvError.of(env, f"reset returned {kind(returned)}", "two dicts: observations, infos")
    absent = [agent for agent in agents if agent not in returned[0]]
    if absent:
        raise EnvError.of(env, f"{absent[0]} is not there at the start", "an environment that starts with all")
    return returned


def read_step(env: str, returned: Any) -> tuple[Any, ...]:
    """Return the five parts that a step returned; raise EnvError where it did not."""
    if not isinstance(returned, tuple) or len(returned) != len(STEP):
        raise EnvError.of(env, f"step returned {kind(returned)}", f"five dicts: {', '.join(STEP)}")
    return returned


def read_array(env: str, name: str, value: Any, shape: tuple[int, ...]) -> Any:
    """Return a value that is an array of a shape; raise EnvError, which calls it by its name, where it is none."""
    if not isinstance(value, np.ndarray) or value.shape != shape:
        raise EnvError.of(env, f"{name} is {kind(value)}", f"an array of shape {shape}")
    return value


def total_reward(env: str, rewards: Mapping[str, Any]) -> float:
    """Return the sum of the agents' rewards; raise EnvError where it can't be learned from."""
    total = float(sum(rewards.values()))
    if not abs(total) < _LARGEST:  # nan is not below anything
        agent = min(rewards, key=lambda agent: abs(rewards[agent]) < _LARGEST)
        raise EnvError.of(env, f"the reward of {agent} is {rewards[agent]}", "a finite number of 32 bits")
    return total


def kind(value: object) -> str:
    """Return what a message calls a value of somebody else's environment."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, tuple):
        return f"{len(value)} values"
    return "None" if value is None else f"a {type(value).__name__}"


def _find_factory(name: str, folder: str) -> Callable[..., Any]:
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise InputError(f"env is {name!r}; valid is MODULE:FACTORY, such as mpe2.simple_spread_v3:parallel_env")
    here = str(Path.cwd())
    if here not in sys.path:  # an installed command does not look into the folder it is called from
        sys.path.insert(0, here)
    if folder and folder not in sys.path:
        sys.path.append(folder)
    with own_code(name, f"importing {module_name}"):
        try:
            factory = getattr(importlib.import_module(module_name), attribute)
        except (ImportError, AttributeError) as error:
            places = " or ".join(dict.fromkeys(place for place in (here, folder) if place))
            raise InputError(
                f"env is {name!r}: {error}; valid is MODULE:FACTORY that is installed, or lies in {places} or in a "
                "folder that the variable PYTHONPATH names"
            ) from error
    if not callable(factory):
        raise InputError(f"env is {name!r}, a {type(factory).__name__}; valid is the name of a function or class")
    return factory  # type: ignore[no-any-return] # any callable
