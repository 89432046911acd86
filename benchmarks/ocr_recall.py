"""How much of a page's text our OCR finds, clean and degraded, and at what cost beside plain Tesseract.

The pages are the 56 clinical forms of ../shared/data/docx_ocr (surrogate PHI), made into PDF by LibreOffice
and rendered by PDFium: clean at 200 dpi, degraded at 100 dpi, turned by 1.5° and with Gaussian noise of a
standard deviation of 20 grey levels. The truth is the PDF's own text layer and not the set's truth files: the
layer holds what stands on the page as text, no more and no less, and page by page. A token is a row of
letters and digits, in lower case; recall is that of multisets, over all pages together.

The peer is `tesseract` as it is installed, on the same images, told their resolution.
"""

from __future__ import annotations

import argparse
import io
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import pypdfium2
from PIL import Image
from rich.console import Console
from rich.progress import track

from curbside.testing.figures import Figure, add_json_option, report
from curbside_ingestion.extraction.ocr import recognise

FORMS: Final = Path(__file__).resolve().parents[2] / "shared" / "data" / "docx_ocr" / "docx"
CLEAN_DPI: Final = 200
DEGRADED_DPI: Final = 100
NOISE: Final = 20  # grey levels, standard deviation
TURN: Final = 1.5  # degrees
TARGETS: Final = {"clean": 0.98, "degraded": 0.92}
EVERY: Final = 7  # with --quick
TOKEN: Final = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Page:
    truth: Counter[str]
    images: dict[str, tuple[Image.Image, int]]


@dataclass
class Tally:
    """One reader's on one kind of page."""

    found: int = 0
    expected: int = 0
    read: int = 0
    cpu: float = 0.0
    pages: int = 0
    worst: list[float] = field(default_factory=list)

    def add(self, truth: Counter[str], text: str, cpu: float) -> None:
        tokens = tokens_of(text)
        found = (truth & tokens).total()
        self.found += found
        self.expected += truth.total()
        self.read += tokens.total()
        self.worst.append(found / truth.total())
        self.cpu += cpu
        self.pages += 1

    @property
    def recall(self) -> float:
        return self.found / self.expected

    @property
    def precision(self) -> float:
        return self.found / max(self.read, 1)

    @property
    def rate(self) -> float:
        return self.pages / self.cpu


def tokens_of(text: str) -> Counter[str]:
    return Counter(TOKEN.findall(text.lower()))


def degraded(image: Image.Image, seed: int) -> Image.Image:
    turned = np.asarray(
        image.rotate(TURN, resample=Image.Resampling.BICUBIC, fillcolor=255), dtype=np.float64
    )
    noise = np.random.default_rng(seed).normal(0, NOISE, turned.shape)
    return Image.fromarray(np.clip(turned + noise, 0, 255).astype(np.uint8))


def pdfs(scratch: Path, forms: list[Path]) -> list[Path]:
    subprocess.run(
        [
            *("soffice", f"-env:UserInstallation=file://{scratch}/profile", "--headless"),
            *("--convert-to", "pdf", "--outdir", str(scratch), *map(str, forms)),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=900,
    )
    return [scratch / f"{form.stem}.pdf" for form in forms]


def pages_of(path: Path) -> Iterator[Page]:
    with pypdfium2.PdfDocument(path) as document:
        for number, page in enumerate(document):
            truth = tokens_of(page.get_textpage().get_text_range())
            if not truth:
                continue
            clean, low = (
                page.render(scale=dpi / 72, grayscale=True).to_pil().copy()
                for dpi in (CLEAN_DPI, DEGRADED_DPI)
            )
            images = {"clean": (clean, CLEAN_DPI), "degraded": (degraded(low, number), DEGRADED_DPI)}
            yield Page(truth, images)


def ours(image: Image.Image, dpi: int) -> str:
    return recognise(image, dpi)[0]


def plain(image: Image.Image, dpi: int) -> str:
    page = io.BytesIO()
    image.save(page, "PPM")
    done = subprocess.run(
        ["tesseract", "stdin", "stdout", "--dpi", str(dpi)],
        input=page.getvalue(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "OMP_THREAD_LIMIT": "1"},
        check=True,
    )
    return done.stdout.decode()


def cpu_seconds() -> float:
    """Of this process and of the children that have ended."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


READERS: Final[dict[str, Callable[[Image.Image, int], str]]] = {"ours": ours, "tesseract": plain}


def measure(forms: list[Path], console: Console) -> dict[tuple[str, str], Tally]:
    tallies = {(reader, kind): Tally() for reader in READERS for kind in TARGETS}
    with tempfile.TemporaryDirectory(prefix="curbside-ocr-") as scratch:
        for path in track(pdfs(Path(scratch), forms), "reading", console=console):
            for page in pages_of(path):
                for kind, (image, dpi) in page.images.items():
                    for reader, read in READERS.items():
                        before = cpu_seconds()
                        text = read(image, dpi)
                        tallies[reader, kind].add(page.truth, text, cpu_seconds() - before)
    return tallies


def figures(tallies: dict[tuple[str, str], Tally]) -> list[Figure]:
    found = []
    for kind, least in TARGETS.items():
        mine, theirs = tallies["ours", kind], tallies["tesseract", kind]
        more = {"precision": round(mine.precision, 3), "worst_page": round(min(mine.worst), 3)}
        peer = f"plain tesseract: {theirs.recall:.3f}, precision {theirs.precision:.3f}"
        found.append(Figure(f"ocr_recall_{kind}", mine.recall, "recall", peer, least=least, more=more))
    for kind in TARGETS:
        mine, theirs = tallies["ours", kind], tallies["tesseract", kind]
        peer = f"plain tesseract: {theirs.rate:.3f}"
        found.append(Figure(f"ocr_pages_per_cpu_second_{kind}", mine.rate, "pages/CPU-s", peer))
        found.append(Figure(f"ocr_rate_vs_tesseract_{kind}", mine.rate / theirs.rate, "ratio", peer))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help=f"every {EVERY}th form")
    add_json_option(parser)
    arguments = parser.parse_args()
    console = Console(width=140)
    forms = sorted(FORMS.glob("*.docx"))[:: EVERY if arguments.quick else 1]
    if not forms:
        console.print(f"there are no forms in {FORMS}: unpack the shared data there")
        return 2
    for program, package in (("soffice", "libreoffice-writer-nogui"), ("tesseract", "tesseract-ocr")):
        if shutil.which(program) is None:
            console.print(f"{program} is missing: apt-get install {package}")
            return 2
    tallies = measure(forms, console)
    pages = tallies["ours", "clean"].pages
    console.print(f"{len(forms)} forms, {pages} pages, of each a clean and a degraded image")
    return report(figures(tallies), console, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
