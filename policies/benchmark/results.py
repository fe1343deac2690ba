"""What a benchmark leaves in its folder once all episodes are played."""

from collections.abc import Sequence

from policies.benchmark.plot import plot
from policies.benchmark.settings import BenchmarkConfig
from policies.benchmark.tables import as_csv, as_markdown
from policies.files import write_atomically
from policies.results import Row, as_json


def write_results(rows: Sequence[Row], config: BenchmarkConfig) -> str:
    """Write the rows as table.md, table.csv, table.json and throughput.png; return the Markdown.

    Raises:
        InputError: a file can't be written.
    """
    markdown = as_markdown(rows, config.command)
    files = {"table.md": markdown.encode(), "table.csv": as_csv(rows).encode(), "table.json": as_json(rows).encode()}
    for name, data in {**files, "throughput.png": plot(rows)}.items():
        write_atomically(config.out / name, data)
    return markdown
