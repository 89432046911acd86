"""What becomes of every shared document: parsed, or refused by a name. Prints the table of docs/formats.md.

Each file goes through the limited children as a posted one does. A file that crashed one, or that gave a
report without a word, would be `bad`; there must be none.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import track

from curbside.errors import CurbsideError
from curbside.testing.figures import Figure, add_json_option, report
from curbside_ingestion.domain.report import read_submission
from curbside_ingestion.extraction.found import Extraction
from curbside_ingestion.extraction.pool import CostlyDocument, Extractors
from curbside_ingestion.extraction.sniffing import kind_of

SHARED: Final = Path(__file__).resolve().parents[2] / "shared"
# Folder of ../shared/data → what lies in it.
_FOLDERS: Final = {
    "fhir/r4_examples": "FHIR R4, examples",
    "fhir/synthea": "FHIR R4, whole patients",
    "hl7v2": "HL7 v2",
    "ccda": "C-CDA",
    "pdf": "PDF",
    "docx_ocr/docx": "DOCX",
    "dicom_sr": "DICOM",
}
_BESIDE: Final = {".md", ""}  # what describes the data, and licences
_COSTLY: Final = CostlyDocument.code


@dataclass
class Tally:
    """What became of a folder's files; a refused part is one of a file that gave others."""

    files: int = 0
    parsed: int = 0  # files that gave a report
    reports: int = 0
    refused: Counter[str] = field(default_factory=Counter)  # whole files, by code
    parts: Counter[str] = field(default_factory=Counter)  # parts of files, by code
    bad: list[str] = field(default_factory=list)

    def row(self, name: str) -> str:
        refused, parts = (
            ", ".join(f"{count} {code}" for code, count in sorted(some.items())) or "none"
            for some in (self.refused, self.parts)
        )
        return f"| {name} | {self.files} | {self.parsed} | {self.reports} | {refused} | {parts} |"


def files_of(folder: str) -> Iterator[Path]:
    for path in sorted((SHARED / "data" / folder).rglob("*")):
        if path.is_file() and path.suffix.lower() not in _BESIDE:
            yield path


async def judge(path: Path, tally: Tally, extractors: Extractors) -> None:
    tally.files += 1
    try:
        data = await asyncio.to_thread(path.read_bytes)
        extraction = await extractors.extract(data, kind_of(data))
    except CurbsideError as problem:
        tally.refused[problem.code] += 1
        if problem.code in (_COSTLY, CurbsideError.code):
            tally.bad.append(f"{path.name}: {problem.code}")
        return
    good = _good(extraction, path, tally)
    tally.parsed += bool(good)
    tally.reports += good
    tally.parts.update(one.problem.code for one in extraction.refused)
    if not good and not extraction.consents:
        if not extraction.refused:
            tally.bad.append(f"{path.name}: nothing came of it")
        tally.refused.update({one.problem.code for one in extraction.refused[:1]})
        tally.parts.subtract(one.problem.code for one in extraction.refused)
        tally.parts = +tally.parts


def _good(extraction: Extraction, path: Path, tally: Tally) -> int:
    good = 0
    for found in extraction.found:
        try:
            submission = read_submission(found.row)
        except CurbsideError as problem:
            tally.parts[problem.code] += 1
            continue
        retracted = submission.status.value == "entered-in-error"
        if retracted or any(character.isalnum() for character in submission.text.reveal()):
            good += 1
        else:
            tally.bad.append(f"{path.name}: a report without a word")
    return good


async def measure(every: int) -> dict[str, Tally]:
    tallies: dict[str, Tally] = defaultdict(Tally)
    extractors = Extractors(children=2, seconds=timedelta(minutes=3))
    try:
        for folder, name in _FOLDERS.items():
            files = [*files_of(folder)][::every]
            tally = tallies[name]
            for start in track(range(0, len(files), 2), name, console=Console(stderr=True)):
                await asyncio.gather(*(judge(path, tally, extractors) for path in files[start : start + 2]))
    finally:
        extractors.close()
    return tallies


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="every tenth file")
    add_json_option(parser)
    arguments = parser.parse_args()
    tallies = asyncio.run(measure(10 if arguments.quick else 1))
    print("| what | files | parsed | reports | refused, by name | parts refused in parsed files |")
    print("|---|---|---|---|---|---|")
    for name, tally in tallies.items():
        print(tally.row(name))
    bad = [one for tally in tallies.values() for one in tally.bad]
    for one in bad:
        print(f"bad: {one}")
    files = sum(tally.files for tally in tallies.values())
    figure = Figure("bad_files", len(bad), "files", f"of {files} shared files", most=0, digits=0)
    return report([figure], Console(width=140), arguments.json)


if __name__ == "__main__":
    sys.exit(main())
