# SPDX-License-Identifier: Apache-2.0
"""A sample for the file type model: a small Python program, never run."""

import csv
import sys
from pathlib import Path


def main(path: str) -> int:
    """Print how many rows each city has."""
    counts: dict[str, int] = {}
    with Path(path).open(newline="") as file:
        for row in csv.DictReader(file):
            counts[row["city"]] = counts.get(row["city"], 0) + 1
    for city, count in sorted(counts.items()):
        print(f"{city:<20} {count:>6}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
