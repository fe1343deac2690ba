"""What docs/extending.md shows works as it stands there."""

import re

import pytest

from sim.layout import parse_layout
from tests.house import ROOT

PAGE = (ROOT / "docs" / "extending.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.mark.slow
def test_its_code_runs_from_top_to_bottom(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    drawing, guided = blocks("map")
    (tmp_path / "yard.map").write_text(drawing)
    assert (parse_layout(guided, "yard").guided(4).factors > 1.0).sum() == 3
    code = blocks("python")
    assert len(code) >= 3
    names: dict[str, object] = {}
    for block in code:
        exec(compile(block, "docs/extending.md", "exec"), names)
