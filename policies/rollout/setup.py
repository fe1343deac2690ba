"""What a collector is built from, as plain values that reach another process as text."""

import dataclasses
import json
from dataclasses import dataclass, replace

from policies.config import AgentConfig
from policies.environments import EnvSource
from policies.rollout.collector import Collector


@dataclass(frozen=True)
class RolloutSetup:
    """What a collector is built from."""

    source: EnvSource
    agent: AgentConfig
    envs: int
    """Environments stepped together."""
    sequence: int
    """Steps of an iteration [env steps]."""
    seed: int
    first: int = 0
    """Number of the first of these environments among those of all collectors."""

    def build(self) -> Collector:
        """Build the collector; raise InputError when the environment is not valid."""
        return Collector(self.source, self.agent, self.envs, self.sequence, self.seed, self.first)

    def split(self, parts: int) -> list["RolloutSetup"]:
        """Return the setups of so many collectors that share the environments, the first ones with one more."""
        setups, first = [], self.first
        for part in range(parts):
            envs = (self.envs + parts - 1 - part) // parts
            setups.append(replace(self, envs=envs, first=first))
            first += envs
        return setups

    def to_json(self) -> str:
        """Return one line that `from_json` reads back."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return json.dumps(values | {"source": self.source.to_json(), "agent": dataclasses.asdict(self.agent)})

    @classmethod
    def from_json(cls, text: str) -> "RolloutSetup":
        """Return what `to_json` wrote."""
        values = json.loads(text)
        source, agent = EnvSource.from_json(values.pop("source")), AgentConfig(**values.pop("agent"))
        return cls(source, agent, **values)
