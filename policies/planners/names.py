"""What the policies are called that need no run, on the command line, in tables and in JSON."""

from typing import Literal, get_args

from sim.scene import RightOfWayMode

PlannerName = Literal["pibt", "rhcr"]
PLANNERS: tuple[PlannerName, ...] = get_args(PlannerName)
AlwaysGoName = Literal["always-go", "always-go, claims alone", "always-go, no rules"]
ALWAYS_GO: dict[RightOfWayMode, AlwaysGoName] = {
    "plans": "always-go",
    "claims": "always-go, claims alone",
    "none": "always-go, no rules",
}
"""What robots are called that always go, by the rules that they keep."""
PolicyName = Literal[AlwaysGoName, PlannerName]
POLICIES: tuple[PolicyName, ...] = (*ALWAYS_GO.values(), *PLANNERS)
SoloName = Literal["solo"]
SOLO: SoloName = "solo"
"""The same robots, each alone."""


def rules_of(name: PolicyName | SoloName) -> RightOfWayMode:
    """Return the rules that robots keep which such a policy drives: planners decide themselves who goes first."""
    return next((rules for rules, called in ALWAYS_GO.items() if called == name), "none")
