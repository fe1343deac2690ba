"""Every way in which a command line can be wrong, from the event of tyro to the sentence; also for its next version."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import pytest
import tyro
from tyro import _errors as tyro_errors

from fleetmix.parsing import _explain, parse, write_completion
from sim.errors import InputError, require


@dataclass(frozen=True)
class Speed:
    """Nested settings."""

    limit: float = 1.0
    """Largest speed [m/s]."""

    def __post_init__(self) -> None:
        require(self.limit > 0, "limit", self.limit, "above 0")


@dataclass(frozen=True)
class Settings:
    """Settings."""

    speed: Speed = field(default_factory=Speed)
    """The speed."""
    kind: Literal["fast", "slow"] = "fast"
    """How."""


def go(
    path: Annotated[Path, tyro.conf.Positional],
    key: Path,
    settings: Annotated[Settings, tyro.conf.arg(name="")],
    count: int | None = None,
    mode: Literal["a", "b"] | None = None,
    dry: bool = False,
) -> None:
    """Go somewhere.

    Args:
        path: where.
        key: a key.
        settings: settings.
        count: how often.
        mode: in which way.
        dry: only say it.
    """


DEFAULTS = Settings(Speed(0.5))


def test_values_come_from_the_line_and_else_from_the_defaults() -> None:
    chosen = parse(go, DEFAULTS, ["there", "--key", "k", "--count", "3", "--kind", "slow", "--dry"])
    assert chosen.func is go
    assert chosen.keywords == {
        "path": Path("there"), "key": Path("k"), "settings": Settings(Speed(0.5), "slow"), "count": 3, "mode": None,
        "dry": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["there"], "--key must be given"),
        ([], "path and --key must be given"),
        (["x", "--key", "k", "--count", "many"], "--count is 'many'; valid is INT"),
        (["x", "--key", "k", "--count=many"], "--count is 'many'; valid is INT"),
        (["x", "--key", "k", "--speed.limit", "fast"], "--speed.limit is 'fast'; valid is FLOAT"),
        (["x", "--key", "k", "--speed.limit", "0"], "--speed.limit is 0.0; valid is above 0"),
        (["x", "--key", "k", "--speed.limit=0"], "--speed.limit is 0.0; valid is above 0"),
        (["x", "--key", "k", "--count", "1.5e0"], "--count is '1.5e0'; valid is INT"),
        (["x", "--key", "k", "--count", "1e999"], "--count is '1e999'; valid is INT"),
        (["x", "--key", "k", "--kind", "odd"], "--kind is 'odd'; valid is fast, slow"),
        (["x", "--key", "k", "--mode", "c"], "--mode is 'c'; valid is a, b"),
        (["x", "--key", "k", "--count"], "--count has no value; valid is INT"),
        (["x", "--key", "k", "--sped.limit", "1"], "'--sped.limit' is no option, did you mean --speed.limit?"),
        (["x", "y", "--key", "k"], "'y' is no option"),
        (["x", "--key", "k", "--dry", "yes"], "'yes' is no option"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], sentence: str) -> None:
    with pytest.raises(InputError) as error:
        parse(go, DEFAULTS, arguments)
    assert str(error.value) == f"{sentence}; see fleetmix go --help"


@pytest.mark.parametrize(("text", "number"), [("1e6", 1_000_000), ("2.5E3", 2500), ("-3", -3), ("1_000", 1000)])
def test_a_whole_number_may_have_an_exponent(text: str, number: int) -> None:
    count = parse(go, DEFAULTS, ["x", "--key", "k", "--count", text]).keywords["count"]
    assert (type(count), count) == (int, number)


def test_help_shows_each_setting_with_unit_and_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        parse(go, DEFAULTS, ["--help"])
    assert not stop.value.code
    text = " ".join(capsys.readouterr().out.split())
    for part in ("fleetmix go", "Go somewhere.", "--speed.limit FLOAT", "Largest speed [m/s].", "(default: 0.5)"):
        assert part in text


def test_an_event_that_tyro_has_newly_learned_is_left_to_tyro() -> None:
    class News(tyro_errors.ParseErrorEvent):
        """An event of a later version."""

    assert _explain(News("fleetmix go"), go, []) is None


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_a_completion_script(shell: str, tmp_path: Path) -> None:
    script = tmp_path / "completion"
    with pytest.raises(SystemExit) as stop:
        write_completion({"go": go}, DEFAULTS, ["--tyro-write-completion", shell, str(script)])
    assert not stop.value.code
    assert all(word in script.read_text() for word in ("go", "speed.limit", "fleetmix"))


def test_a_completion_script_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        write_completion({"go": go}, DEFAULTS, ["--tyro-print-completion", "fish"])
    assert not stop.value.code
    assert "speed.limit" in capsys.readouterr().out


@pytest.mark.parametrize(
    "line",
    [
        "--tyro-complete",
        "--tyro-complete bash",
        "--tyro-print-completion",
        "--tyro-print-completion bash file",
        "--tyro-write-completion bash",
        "--tyro-write-completion tcsh file",
    ],
)
def test_what_asks_for_no_completion_script_is_one_sentence(line: str) -> None:
    with pytest.raises(InputError) as error:
        write_completion({"go": go}, DEFAULTS, line.split())
    assert str(error.value) == (
        f"{line!r} asks for no completion script; valid is --tyro-print-completion SHELL or --tyro-write-completion "
        "SHELL FILE, with bash, zsh, fish for SHELL"
    )


def test_a_completion_script_that_can_not_be_written_is_one_sentence(tmp_path: Path) -> None:
    script = tmp_path / "missing" / "script"
    with pytest.raises(InputError, match="can't be written: No such file or directory"):
        write_completion({"go": go}, DEFAULTS, ["--tyro-write-completion", "bash", str(script)])
