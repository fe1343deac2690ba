"""The limits of size that hold the house together: a file is a room with one purpose, a function fits on a screen."""

import ast
import subprocess

import pytest

from tests.house import ROOT

FILE_LINES, FUNCTION_LINES = 250, 40
LONG_FILES: dict[str, int] = {}
"""Files that are longer, with their lengths, until somebody finds where to part them: entries shrink and go."""
LONG_FUNCTIONS = {
    "sim/observation.py.write_observation": 52,  # numba compiles it, and a robot runs it, as one
}
"""Functions that are longer, with their lengths, and why: entries shrink and go."""

FILES = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
    cwd=ROOT, capture_output=True, text=True, check=True,
).stdout.split()  # fmt: skip


def functions(file: str) -> dict[str, int]:
    """The length of each function of a file, without its docstring and its decorators."""
    lengths: dict[str, int] = {}

    def visit(node: ast.AST, name: str) -> None:
        for child in ast.iter_child_nodes(node):
            inner = name
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                inner = f"{name}.{child.name}"
                if isinstance(child, ast.FunctionDef):
                    lengths[inner] = length(child)
            visit(child, inner)

    visit(ast.parse((ROOT / file).read_text(encoding="utf-8")), file)
    return lengths


def length(node: ast.FunctionDef) -> int:
    last, docstring = node.end_lineno or 0, node.body[0]
    documented = ast.get_docstring(node) is not None
    return last - node.lineno + 1 - (((docstring.end_lineno or 0) - docstring.lineno + 1) if documented else 0)


FILE_LENGTHS = {file: len((ROOT / file).read_text(encoding="utf-8").splitlines()) for file in FILES}
FUNCTION_LENGTHS = {name: lines for file in FILES for name, lines in functions(file).items()}


def test_every_function_is_counted() -> None:
    """By hand: this one has three lines without its docstring."""
    assert FUNCTION_LENGTHS["tests/test_house.py.test_every_function_is_counted"] == 3
    assert "tests/test_house.py.functions.visit" in FUNCTION_LENGTHS


@pytest.mark.parametrize(
    ("lengths", "limit", "longer"),
    [(FILE_LENGTHS, FILE_LINES, LONG_FILES), (FUNCTION_LENGTHS, FUNCTION_LINES, LONG_FUNCTIONS)],
    ids=["files", "functions"],
)
def test_no_file_and_no_function_is_too_long(lengths: dict[str, int], limit: int, longer: dict[str, int]) -> None:
    too_long = {name: lines for name, lines in lengths.items() if lines > longer.get(name, limit)}
    assert not too_long, f"over {limit} lines, or longer than they were: part them"
    done = [name for name in longer if lengths.get(name, 0) <= limit]
    assert not done, "no longer too long: take them off the list"
