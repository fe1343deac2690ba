"""What the policies are called that need no run, on the command line, in tables and in JSON. Loads nothing."""

from typing import Literal, get_args

PlannerName = Literal["pibt", "rhcr"]
PLANNERS: tuple[PlannerName, ...] = get_args(PlannerName)
AlwaysGoName = Literal["always-go, no rules"]
ALWAYS_GO: AlwaysGoName = "always-go, no rules"
PolicyName = Literal[AlwaysGoName, PlannerName]
POLICIES: tuple[PolicyName, ...] = (ALWAYS_GO, *PLANNERS)
SoloName = Literal["solo"]
SOLO: SoloName = "solo"
"""The same robots, each alone."""
