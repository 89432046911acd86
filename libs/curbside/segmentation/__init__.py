"""How a report's text becomes what a model reads: cleaned, cut into sections, its answers left out.

Datasets trains on this form and inference asks with it; were they two, a model would be asked in a shape
that it never learned.
"""

from curbside.segmentation.cleaning import clean, clean_string
from curbside.segmentation.inputs import content_of, is_signature, model_input, shown, standard_form
from curbside.segmentation.sections import OTHER, Kind, Section, canonical, headings_hash, segment

__all__ = [
    "OTHER",
    "Kind",
    "Section",
    "canonical",
    "clean",
    "clean_string",
    "content_of",
    "headings_hash",
    "is_signature",
    "model_input",
    "segment",
    "shown",
    "standard_form",
]
