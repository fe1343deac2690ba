"""A fleet under bad conditions for half an hour: `benchmarks.fleet_soak` says what happens and what must hold.

python benchmarks/soak.py --bundle DIR [--minutes 30] [--robots 8] [--scene depot] [--seed 0]
"""

import argparse
import sys
from pathlib import Path

from benchmarks.fleet_soak import Soak, SoakConfig, SoakError


def main() -> None:
    """Runs it and prints a summary; exit code 1 if something did not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True, help="from fleetmix export")
    parser.add_argument("--minutes", type=float, default=SoakConfig.minutes)
    parser.add_argument("--robots", type=int, default=SoakConfig.robots)
    parser.add_argument("--scene", default=SoakConfig.scene)
    parser.add_argument("--seed", type=int, default=SoakConfig.seed)
    soak = Soak(SoakConfig(**vars(parser.parse_args())))
    try:
        soak.run(lambda line: print(line, flush=True))
    except SoakError as error:
        sys.exit(f"did not hold after {soak.report.seconds:.0f} s: {error}\n{soak.report}")
    report = soak.report
    print(f"held for {report.seconds / 60:.1f} min: {report.deliveries} deliveries")
    for name in ("events", "reasons", "dropped", "memory"):
        print(f"{name}: {dict(getattr(report, name))}")
    print(f"contacts {report.contacts}, hardest {report.hardest:.2f} m/s; oldest sensors obeyed {report.oldest:.3f} s")
    print(f"periods in which the simulator was late: {report.slow_periods}")


if __name__ == "__main__":
    main()
