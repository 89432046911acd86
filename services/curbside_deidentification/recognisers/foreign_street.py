"""Streets by the words for "street" of other languages. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.addresses import CAPITALISED, HOUSE, NEXT, POSTCODE, WORD
from curbside_deidentification.recognisers.writing.places import NO_LABEL

# What ends a street's name, in German, Dutch, Scandinavian, Finnish, Hungarian and Slavic languages.
_ENDING = (
    r"(?:stra(?:ß|ss)e|gasse|allee|platz|weg|damm|straat|laan|plein|dijk|gracht|kade|singel|gatan?|gränd|"
    r"vägen|stigen|vegen|veien|vej|vei|gaten?|gade|stien|stræde|katu|tie|kuja|polku|maantee|puiestee)"
)
_WORD_BEHIND = r"(?:utca|útja|út|tér|tere|körút|ulice|náměstí|tänav|tn|tee|cesta|trg)"
# What begins one, in Romance, Slavic and Greek languages.
_BEGINNING = (
    r"(?:Rua|Avenida|Av\.?|Calle|Camino|Carrera|Paseo|Travessa|Estrada|Praça|Rue|Avenue|Boulevard|Bd|Allée|"
    r"Chemin|Quai|Impasse|Cité|Via|Viale|Corso|Piazza|Vicolo|Contrada|Largo|Strada|Calea|Ulica|ul\.|Al\.|"
    r"Trg|Πλατεία|Οδός|Λεωφόρος|Jalan|Jln)"
)


class ForeignStreet(PatternRecogniser):
    """A word for "street" and a house number before or behind.

    Universal Postal Union, S42: parts by country.
    """

    category = Category.LOCATION
    score = 0.85
    pattern = re.compile(
        rf"(?<![\w./-])(?P<phi>(?:(?:{HOUSE}[ ]{{1,2}}(?:{CAPITALISED}[ ]){{0,3}}"
        rf"(?:[^\W\d_]{{2,30}}{_ENDING}|{CAPITALISED}[ ]{_WORD_BEHIND})\b(?:[ ]{HOUSE}\b\.?)?)|"
        rf"(?:(?:{CAPITALISED}[ ]){{0,2}}[^\W\d_a-zß-öø-ÿ][^\W\d_]{{1,30}}{_ENDING}[ ]{HOUSE}\b)|"
        rf"(?:{HOUSE}[ ]{{1,2}}(?i:{_BEGINNING})[ ]{WORD}(?:[ ]{NO_LABEL}{WORD}){{0,4}}(?:,?[ ]{HOUSE}\b)?)|"
        rf"(?:{_BEGINNING}[ ]{WORD}(?:[ ]{WORD}){{0,4}},?[ ]{HOUSE}\b))"
        rf"(?:(?:{NEXT})(?:{POSTCODE}[ ])?{CAPITALISED}(?:[ ]{CAPITALISED}){{0,2}}"
        rf"(?:[ ]{POSTCODE})?){{0,2}})(?!\w)"
    )
