"""How well a de-identifier does: what it leaves, what it takes wrongly, and what of medicine it spares.

`spans` counts tokens as `../shared/bench/phi_score.py` does, `medical` what must survive, `sets` reads the
sets. A quarantined document is counted apart: nothing in it counts as found, and nothing in it as spared.
"""

from curbside.testing.scoring.medical import Survival, headings_destroyed, labs_destroyed, mentions_removed
from curbside.testing.scoring.spans import Gold, PhiScore, Predicted, score_phi

__all__ = [
    "Gold",
    "PhiScore",
    "Predicted",
    "Survival",
    "headings_destroyed",
    "labs_destroyed",
    "mentions_removed",
    "score_phi",
]
