"""Add up the second column of a file."""

import csv
import sys


def total(path: str) -> float:
    """Return the sum of the second column."""
    with open(path, encoding="utf-8", newline="") as file:
        return sum(float(row[1]) for row in csv.reader(file))


if __name__ == "__main__":
    print(total(sys.argv[1]))
