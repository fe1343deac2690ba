"""The rooms of the house and who imports whom, read from the code: for the tests and for the picture in the docs."""

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent
FLOORS = ("sim", "policies", "export", "fleetmix")
"""From the ground up: a floor imports those below it and none above."""
ROOMS_ON_ROBOT = (
    "export/bundle", "export/protocol", "export/recorder", "export/robot", "export/runtime.py",
    "fleetmix/robot_commands.py",
)  # fmt: skip
"""What a robot installs; with what it needs of `sim`, it loads with `ROBOT_PACKAGES` alone."""


def files(*places: str) -> list[Path]:
    """The Python files at these places, in sub-folders too."""
    found = (path for place in places for path in [ROOT / place, *(ROOT / place).rglob("*.py")])
    return sorted(path for path in found if path.is_file())


def module(path: Path) -> str:
    """The name under which a file is imported."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module(path): path for path in files(*FLOORS)}


def imports(path: Path) -> set[str]:
    """The modules that a file imports anywhere in it, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; the folder is the import path"
            name = node.module or ""
            found |= {name} | {f"{name}.{alias.name}" for alias in node.names}
    return found


def packages(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(path)}


def own_imports(name: str) -> set[str]:
    """The modules of this project that a module imports."""
    return imports(MODULES[name]) & MODULES.keys()


def with_all_below(names: set[str]) -> set[str]:
    """The modules, and all of `sim` that they import, directly or not."""
    found, new = set(names), set(names)
    while new:
        new = {below for name in new for below in own_imports(name) if below.startswith("sim.")} - found
        found |= new
    return found


ON_ROBOT = with_all_below({module(path) for path in files(*ROOMS_ON_ROBOT)})


Arrow = tuple[str, str]
"""A room, and one that it imports."""


def room(name: str) -> str:
    """The room of a module: its folder, or itself where it lies between the rooms of `export`."""
    path = MODULES[name].relative_to(ROOT)
    alone = path.parent.as_posix() == "export" and path.stem != "__init__"
    return path.as_posix() if alone else path.parent.as_posix()


def arrows() -> set[Arrow]:
    """Every arrow between two rooms."""
    pairs = ((room(name), room(below)) for name in MODULES for below in own_imports(name) if below not in FLOORS)
    return {(one, other) for one, other in pairs if one != other}


def reachable(start: str, between: set[Arrow]) -> set[str]:
    """The rooms to which arrows lead from one, directly or over others."""
    found: set[str] = set()
    new = {start}
    while new:
        new = {to for of, to in between if of in new} - found
        found |= new
    return found


def without_detours(between: set[Arrow]) -> set[Arrow]:
    """The arrows that a picture needs: those to a room that no way over other rooms leads to."""
    kept = set()
    for of, to in between:
        over = {via for other, via in between if other == of and via != to and (via, of) not in between}
        if not any(to in reachable(via, between - {(via, of)}) for via in over):
            kept.add((of, to))
    return kept
