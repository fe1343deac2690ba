"""The limits of size that hold the house together: a file is a room with one purpose, a function fits on a screen."""

import ast
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
FILE_LINES, FUNCTION_LINES = 250, 40
LONG_FILES: dict[str, int] = {}
"""Files that may be longer, each with its length; the list only shrinks."""
LONG_FUNCTIONS: dict[str, int] = {}
"""Functions that may be longer, each with its length; the list only shrinks."""

FILES = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
    cwd=ROOT, capture_output=True, text=True, check=True,
).stdout.split()  # fmt: skip


def functions(file: str) -> dict[str, int]:
    """The length of each function of a file, from its first line to its last, decorators and docstring left out."""
    lengths: dict[str, int] = {}

    def visit(node: ast.AST, name: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = f"{name}.{child.name}"
                if not isinstance(child, ast.ClassDef):
                    lengths[inner] = length(child)
                visit(child, inner)
            else:
                visit(child, name)

    visit(ast.parse((ROOT / file).read_text(encoding="utf-8")), file)
    return lengths


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None and first.end_lineno is not None:
        lines -= first.end_lineno - first.lineno + 1
    return lines
