"""The resources of a document, by their places, and what a reference in one of them points to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from curbside.errors import BadInput
from curbside_ingestion.extraction.fhir.tree import Tree, canonical, nodes, text_at
from curbside_ingestion.extraction.fhir.validation import Dropped, validated
from curbside_ingestion.extraction.found import Limits, MissingContent, OversizedDocument, UnreadableDocument

BUNDLES: Final = frozenset(
    {"document", "message", "transaction", "transaction-response", "batch", "batch-response"}
    | {"history", "searchset", "collection"}
)  # R4 BundleType
_DEEPEST: Final = 4  # bundles within bundles; R4's own examples have two levels
_KIND: Final = re.compile(r"[A-Z][A-Za-z]{1,63}")
_VERSION: Final = re.compile(r"/_history/[^/]*$")
_STEPS_PER_PART: Final = 20
_UUID: Final = "urn:uuid:"


@dataclass(eq=False)
class Entry:
    """One resource. `deleted` where a transaction or history says DELETE of `Type/id` and gives none."""

    place: str
    kind: str
    resource: Tree = field(repr=False)
    full_url: str = field(default="", repr=False)
    bundle: str = ""
    deleted: bool = False
    patched: bool = False
    container: Entry | None = None  # of a contained resource
    bundle_labels: tuple[str, ...] = ()
    _written: str = field(default="", repr=False)
    _contained: dict[str, Entry] | None = field(default=None, repr=False)
    _valid: Tree | None = field(default=None, repr=False)
    _problem: BadInput | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """`Type/id`, or empty where the resource has none. An id that is yet to be assigned is its URN's."""
        if self.container is not None:
            return ""  # R4 Resource.contained: its id means nothing outside
        own = text_at(self.resource, "id") or (
            self.full_url.removeprefix(_UUID) if self.full_url.startswith(_UUID) else ""
        )
        return f"{self.kind}/{own}" if own else ""

    def written(self) -> str:
        """This entry in canonical JSON, made once: a patient is part of each of their reports."""
        if not self._written:
            address = {"fullUrl": self.full_url} if self.full_url else {}
            self._written = canonical({"resource": self.resource} | address)
        return self._written

    def contained(self, name: str) -> Entry | None:
        """The contained resource of id `name`; one within a contained one is its container's."""
        if self.container is not None:
            return self.container.contained(name)
        if self._contained is None:
            self._contained = {}
            for item in nodes(self.resource, "contained"):
                kind = text_at(item, "resourceType")
                inner = Entry(self.place, kind if _KIND.fullmatch(kind) else "Resource", item, container=self)
                self._contained.setdefault(text_at(item, "id"), inner)
        return self._contained.get(name)

    def valid(self, dropped: Dropped) -> Tree:
        """The resource without what R4 does not know, validated once. Raises its problem each time."""
        if self._valid is None and self._problem is None:
            try:
                self._valid = validated(self.kind, self.resource, dropped)
            except BadInput as problem:
                self._problem = problem
        if self._problem is not None:
            raise self._problem
        assert self._valid is not None
        return self._valid


class Budget:
    """What reading one document may cost in all: many reports may point at the same large resource."""

    def __init__(self, limits: Limits) -> None:
        self._octets = limits.max_unpacked_bytes
        self._steps = limits.max_parts * _STEPS_PER_PART

    def spend(self, octets: int) -> None:
        self._octets -= octets
        if self._octets < 0:
            raise OversizedDocument(
                "the document unpacks to more than one may",
                field="entry",
                mend="Send fewer entries at a time.",
            )

    def step(self) -> None:
        self._steps -= 1
        if self._steps < 0:
            raise OversizedDocument(
                "the document has more references than one may", field="entry", mend="Send fewer at a time."
            )


class Library:
    """Every entry of a document, found by full URL, by `Type/id`, or by identifier."""

    def __init__(self, entries: list[Entry], limits: Limits) -> None:
        self.entries = entries
        self.limits = limits
        self.budget = Budget(limits)
        self.dropped = Dropped()
        self._urls: dict[str, Entry] = {}
        self._names: dict[str, Entry] = {}
        self._identifiers: dict[tuple[str, str], Entry] | None = None
        for entry in entries:
            for table, key in ((self._urls, _VERSION.sub("", entry.full_url)), (self._names, entry.name)):
                # A history comes oldest first, and the newest version is what a reference means.
                if key and not entry.deleted and (key not in table or entry.bundle == "history"):
                    table[key] = entry

    def of_kind(self, *kinds: str) -> Iterator[Entry]:
        return (entry for entry in self.entries if entry.kind in kinds and not entry.deleted)

    def resolve(self, reference: str, base: Entry | None = None) -> Entry | None:
        """The entry that `reference` names; None where it is not there. R4 Bundle, "Resolving references"."""
        self.budget.step()
        reference = _VERSION.sub("", reference.strip())
        if not reference:
            return None
        if reference in self._urls:
            return self._urls[reference]
        if base is not None and base.full_url.startswith("http") and "://" not in reference:
            root = base.full_url.rsplit("/", 2)[0]
            if (found := self._urls.get(f"{root}/{reference}")) is not None:
                return found
        kind, _, query = reference.partition("?")
        if query.startswith("identifier=") and _KIND.fullmatch(kind):
            return self._by_identifier().get((kind, query.removeprefix("identifier=")))
        if reference.startswith(_UUID):
            return None
        return self._names.get("/".join(reference.split("/")[-2:]))

    def _by_identifier(self) -> dict[tuple[str, str], Entry]:
        """A transaction may refer by a search (R4 §3.1.0.11.2): `Practitioner?identifier=system|value`."""
        if self._identifiers is None:
            self._identifiers = {}
            for entry in self.entries:
                for item in nodes(entry.resource, "identifier"):
                    value = f"{text_at(item, 'system')}|{text_at(item, 'value')}"
                    self._identifiers.setdefault((entry.kind, value), entry)
        return self._identifiers


class Reading:
    """One resource as it is read: resolves its references, contained ones too, and notes which it used."""

    def __init__(self, library: Library, entry: Entry) -> None:
        self.library = library
        self.entry = entry
        self.used: dict[int, Entry] = {}

    def find(self, reference: str, within: Entry | None = None) -> Entry | None:
        owner = within or self.entry
        if reference.startswith("#"):
            self.library.budget.step()
            return owner.contained(reference[1:])
        found = self.library.resolve(reference, owner)
        if found is not None and found is not self.entry:
            self.used[id(found)] = found
        return found

    def all_at(self, resource: Tree, *path: str, within: Entry | None = None) -> list[Entry]:
        """The entries that the references at `path` name and that are there, each once."""
        references = dict.fromkeys(text_at(item, "reference") for item in nodes(resource, *path))
        found = (self.find(reference, within) for reference in references)
        return list(dict.fromkeys(entry for entry in found if entry is not None))

    def valid(self, entry: Entry) -> Tree:
        """`entry` validated. Where it is not this one, its problem says which it is."""
        try:
            return entry.valid(self.library.dropped)
        except BadInput as problem:
            if entry is self.entry or entry.place == self.entry.place:
                raise
            raise type(problem)(
                f"{entry.place}: {problem.message}", field=problem.field, mend=problem.mend
            ) from None

    def original(self) -> bytes | None:
        """The resource and what reading it used as a collection; None where it is the whole document."""
        if len(self.library.entries) == 1 and not self.entry.bundle:
            return None
        entries = ",".join(entry.written() for entry in (self.entry, *self.used.values()))
        octets = f'{{"entry":[{entries}],"resourceType":"Bundle","type":"collection"}}'.encode()
        self.library.budget.spend(len(octets))
        return octets


def entries_of(document: Tree, limits: Limits) -> tuple[list[Entry], list[tuple[str, BadInput]]]:
    """The resources in `document`, bundles within it opened, and the entries that hold none.

    A history is read oldest first: R4 lists the newest first, and an amendment follows what it amends.
    """
    kind = text_at(document, "resourceType")
    if kind != "Bundle":
        return [Entry(_safe(kind), _safe(kind), document)], []
    found: list[Entry] = []
    refused: list[tuple[str, BadInput]] = []
    _open(document, "", 0, limits, found, refused)
    return found, refused


def _open(
    bundle: Tree,
    prefix: str,
    depth: int,
    limits: Limits,
    found: list[Entry],
    refused: list[tuple[str, BadInput]],
) -> None:
    kind = bundle.get("type")
    labels = tuple(text_at(coding, "code") for coding in nodes(bundle, "meta", "security"))
    listed = bundle.get("entry", [])
    if not isinstance(kind, str) or kind not in BUNDLES or not isinstance(listed, list):
        raise UnreadableDocument(
            "the Bundle has no type of R4, or its entries are no list",
            field="Bundle",
            mend="See https://hl7.org/fhir/R4/bundle.html.",
        )
    numbered = list(enumerate(listed, 1))
    for number, item in reversed(numbered) if kind == "history" else numbered:
        if len(found) + len(refused) >= limits.max_parts:
            raise OversizedDocument(
                f"the Bundle has more than {limits.max_parts} entries",
                field="entry",
                mend="Send it in parts.",
            )
        place = f"{prefix}entry {number}"
        entry = _entry(item, place, str(kind))
        if isinstance(entry, Entry):
            entry.bundle_labels = labels
        if isinstance(entry, BadInput):
            refused.append((place, entry))
        elif entry is not None and entry.kind == "Bundle":
            if depth + 1 >= _DEEPEST:
                problem = OversizedDocument(
                    "bundles are nested too deeply", field="entry", mend="Send the inner one by itself."
                )
                refused.append((entry.place, problem))
                continue
            try:
                _open(entry.resource, f"{place}, ", depth + 1, limits, found, refused)
            except UnreadableDocument as problem:
                refused.append((entry.place, problem))
        elif entry is not None:
            found.append(entry)


def _entry(item: object, place: str, bundle: str) -> Entry | BadInput | None:
    if not isinstance(item, dict):
        return UnreadableDocument("the entry is no object", field="entry", mend="Send a resource in it.")
    full_url = item.get("fullUrl")
    full_url = full_url if isinstance(full_url, str) else ""
    method = text_at(item, "request", "method")
    resource = item.get("resource")
    if resource is None:
        # R4 §3.1.0.11.2 and §3.1.0.8: a deletion is a request with no resource; so is every response.
        kind, _, rest = text_at(item, "request", "url").partition("?")[0].partition("/")
        if method == "DELETE" and rest and _KIND.fullmatch(kind):
            gone = {"resourceType": kind, "id": rest.partition("/")[0]}
            return Entry(f"{place}, {kind}", kind, gone, full_url, bundle, deleted=True)
        if method or "response" in item:
            return None
        return MissingContent(
            "the entry holds no resource", field="resource", mend="Send the resource itself."
        )
    kind = text_at(resource, "resourceType") if isinstance(resource, dict) else ""
    if not isinstance(resource, dict) or not _KIND.fullmatch(kind):
        return UnreadableDocument(
            "the entry's resource has no resourceType", field="resource.resourceType", mend="Name it."
        )
    return Entry(f"{place}, {kind}", kind, resource, full_url, bundle, patched=method == "PATCH")


def _safe(kind: str) -> str:
    if not _KIND.fullmatch(kind):
        raise UnreadableDocument(
            "the document has no resourceType of FHIR", field="resourceType", mend="Name the resource's type."
        )
    return kind
