"""The PHI policy, read from YAML and named by its hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import yaml

from curbside.phi import Category
from curbside_deidentification.domain.eponym_names import EPONYM_WORDS, EPONYMS_DIGEST
from curbside_deidentification.domain.known import KNOWN_DIGEST, KnownWords
from curbside_deidentification.domain.language import LanguageRules
from curbside_deidentification.domain.lexicon import (
    Lexicon,
    abbreviations,
    load_lexicon,
    small_zip_areas,
    town_states,
    towns,
)
from curbside_deidentification.domain.name_words import NAMES_DIGEST
from curbside_deidentification.domain.risk import MODEL_FILE, RiskModel, load_risk_model
from curbside_deidentification.domain.tagging import TAGGER_FILES

POLICY_FILE: Final = Path(__file__).with_name("policy.yaml")


@dataclass(frozen=True)
class Policy:
    """`label` is what results and events carry: the policy's name and the hash of its file, word lists,
    tagger and risk model."""

    label: str
    placeholders: Mapping[Category, str]
    longest_text: int
    longest_run: int
    risk_threshold: float
    residual_weights: Mapping[str, float]
    risk_model: RiskModel
    language: LanguageRules
    known_words: KnownWords
    lexicon: Lexicon


@cache
def load_policy(path: Path = POLICY_FILE) -> Policy:
    """The policy in `path`. Every category has an action; one that is missing is an error, not a default."""
    text = path.read_bytes()
    data = yaml.safe_load(text)
    unlisted = set(Category) - set(data["categories"])
    if unlisted:
        raise ValueError(f"policy.yaml says nothing of {sorted(unlisted)}: every category needs an action")
    unknown = {entry["action"] for entry in data["categories"].values()} - {"replace"}
    if unknown:
        raise ValueError(f"policy.yaml asks for the actions {sorted(unknown)}: there is only 'replace'")
    lexicon = load_lexicon()
    digest = hashlib.sha256(text + KNOWN_DIGEST.encode() + NAMES_DIGEST.encode() + MODEL_FILE.read_bytes())
    for path_of_model in TAGGER_FILES:
        digest.update(path_of_model.read_bytes())
    digest.update(EPONYMS_DIGEST.encode())
    for words in (
        lexicon.words,
        lexicon.given,
        lexicon.forenames,
        lexicon.surnames,
        towns(),
        frozenset(town_states()),
        small_zip_areas(),
        abbreviations(),
    ):
        digest.update("\n".join(sorted(words)).encode())
    eponyms = frozenset(data["allow"]["eponyms"].split())
    endings = data["allow"].pop("endings").split()
    prefixes = data["allow"].pop("prefixes").split()
    allowed = " ".join(data["allow"].values()).split()
    # Eponyms that few people are called by are no names by themselves.
    rare = EPONYM_WORDS - lexicon.surnames - lexicon.forenames - lexicon.given
    return Policy(
        label=f"{data['name']}:{digest.hexdigest()[:12]}",
        placeholders=MappingProxyType(
            {Category(name): str(entry["placeholder"]) for name, entry in data["categories"].items()}
        ),
        longest_text=int(data["quarantine"]["longest_text"]),
        longest_run=int(data["quarantine"]["longest_run"]),
        risk_threshold=float(data["quarantine"]["risk_threshold"]),
        residual_weights=MappingProxyType(dict(data["residual_weights"])),
        risk_model=load_risk_model(),
        language=_language(data["language"]),
        known_words=_known_words(data["known_words"]),
        lexicon=replace(
            lexicon,
            words=lexicon.words.union(rare, (word.casefold() for word in allowed)),
            endings=tuple(endings),
            prefixes=tuple(prefixes),
            eponyms=eponyms,
        ),
    )


def _language(data: Mapping[str, Any]) -> LanguageRules:
    return LanguageRules(
        least_words=int(data["least_words"]),
        least_known=float(data["least_known"]),
        most_other_letters=int(data["most_other_letters"]),
        most_other_share=float(data["most_other_share"]),
        short_least_words=int(data["short_least_words"]),
        short_least_hits=int(data["short_least_hits"]),
        stop_words=MappingProxyType(
            {language: frozenset(words) for language, words in data["stop_words"].items()}
        ),
    )


def _known_words(data: Mapping[str, Any]) -> KnownWords:
    phrases: dict[str, frozenset[str]] = {}
    for entry in data["phrases"]:
        following = frozenset(part.strip() for part in entry["followed_by"].split(","))
        for word in entry["words"].split():
            phrases[word] = phrases.get(word, frozenset()) | following
    speech = frozenset(data["speech"].split())
    return KnownWords(
        acts=speech | frozenset(data["acts"].split()),
        speech=speech,
        phrases=MappingProxyType(phrases),
        headings=frozenset(data["headings"].split()),
    )
