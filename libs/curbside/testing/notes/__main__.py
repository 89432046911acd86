"""`python -m curbside.testing.notes --families development --count 300 -o FILE`: notes and their gold.

Each line is {"id", "family", "text", "spans": [[start, end, label], …], "known"?} in JSON: what
`curbside deidentify` reads, and what `phi_score.py` takes for gold.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from curbside.testing.notes.families import load_families
from curbside.testing.notes.rows import write_rows
from curbside.testing.notes.values import SETS
from curbside.testing.notes.writing import generate


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--families", choices=SETS, default="development")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--known", action="store_true", help="with what a hospital would send along")
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    notes = generate(load_families(arguments.families), arguments.count, arguments.seed)
    write_rows(notes, arguments.output, with_known=arguments.known)


if __name__ == "__main__":
    main()
