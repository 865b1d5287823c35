"""Try the promises of minimizing on as many random examples as one likes.

python -m tests.minimize --examples 100000
"""

from __future__ import annotations

import argparse
import time

from tests.minimize.properties import PROPERTIES, run


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.minimize", description=__doc__)
    parser.add_argument("--examples", type=int, default=2_000, help="examples of each property (default 2,000)")
    parser.add_argument("--only", default="", help="properties whose name contains this")
    arguments = parser.parse_args()
    for name, check in PROPERTIES.items():
        if arguments.only in name:
            start = time.monotonic()
            tally = run(name, arguments.examples, check)
            spent = time.monotonic() - start
            print(f"{name}: {tally.tried} examples, {tally.share:.0%} accepted, {spent:.0f} s", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
