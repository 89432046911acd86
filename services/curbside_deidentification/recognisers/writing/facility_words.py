"""Which words say of a place of care which one it is."""

from __future__ import annotations

import re
from typing import Final

from curbside_deidentification.domain.lexicon import GENERIC, Lexicon
from curbside_deidentification.domain.name_words import words
from curbside_deidentification.recognisers.writing.places import DEVOTIONAL, TOPONYMS

# Of what is cared for: such words before "Clinic" or "Center" name a department, of which every house has
# one.
CARE_WORDS: Final = frozenset(
    """
    cardiac thoracic bone joint kidney liver lung thyroid voice swallow swallowing balance hearing
    vision retina cornea glaucoma laser skin immunology maternal fetal perinatal high-risk postpartum
    preoperative pre-op postoperative post-op preadmission preprocedure anticoagulation warfarin inr
    device pacemaker lactation nutrition dietary obesity wellness prevention preventive screening
    vaccine vaccination immunization flu covid covid-19 tb std sti hiv methadone suboxone addiction
    substance abuse detox chemical dependency alcohol drug campus employee occupational industrial
    teaching referral receiving sending transferring accepting outlying nearby nearest neighboring prior
    previous former current orthopedics orthopaedics orthopaedic obstetrics obstetric gynecology
    gynecologic gyn ob ob/gyn ob-gyn neurosurgery neurosurgical interventional invasive noninvasive
    nuclear diagnostic therapeutic radiation chemotherapy hepatology hepatitis transplantation plastic
    reconstructive oral maxillofacial ent otolaryngology audiology ophthalmology optometry podiatry
    psychiatry psychology psychiatric neuropsychology anesthesia anesthesiology preanesthesia internal
    sports physiatry occupational speech respiratory step-down stepdown telemetry observation
    intermediate progressive short-stay adult child adolescent young senior seniors elderly men's women
    men surgeons surgeon specialists specialist specialties group team unit units ward wards floor room
    rooms suite lab labs main central north south east west upper lower building campus tower wing
    suburban rural urban metropolitan metro city downtown area local-area retirement assisted
    independent living facility facilities long-term long term skilled subacute ltac snf alf
    correctional patient patients center's continuing extended personal attendant respite palliative
    end-of-life comfort supportive survivorship international world global federal government ear ears
    nose throat head neck back free-standing freestanding satellite virtual mobile telehealth
    telemedicine video online e-visit chronic pediatrics paediatrics dermatologic surgicenter
    prescription medication refill compounding mail-order retail specialty pre-surgical presurgical
    admissions registration
    """.split()  # noqa: SIM905
)
# Words in capitals or at the head of a sentence that end a name backwards: what joins words, and what is
# done there.
FUNCTION_WORDS: Final = frozenset(
    """
    a an as at be been by did does for from had has have he her here hers his i in into is it its me my
    near no not now off on or our out over per she since so than that their them then there they this to
    today up via was we were when where which while who will with you your advised admitted came call
    called care's contacted continue date discharge discharged employed evaluated faxed follow followed
    followup follow-up found go goes he's hospitalized last lives note notes notified patient presented
    presents prior previously pt received recently referred refer report resident resides returned
    reviewed see seen sent should staff started status stays taken then tolerated transfer transferred
    transported treated until visit visited went work worked works department service summary progress
    emergency history physical consultation operative discharge name facility hospital's location
    pharmacy attending provider physician impression under records states stated confirmed coroner drawn
    accepted script labs given bedtime daily units born raised driven drove brought arrived plan
    assessment disposition dispo diagnosis findings comparison comparisons and/or mr mrs ms dr miss md
    do rn np pa mph phd dds
    """.split()  # noqa: SIM905
)
# What every house has, or may call itself.
OF_EVERY_HOUSE: Final = GENERIC | CARE_WORDS | FUNCTION_WORDS | words("departments")
CONNECTORS: Final = frozenset("of and the & for de la del du on / +".split())  # noqa: SIM905


def says_which(word: str) -> bool:
    bare = word.casefold()
    parts = re.split(r"[/&-]", bare)
    return bare not in CONNECTORS and not all(
        part in GENERIC or part in CARE_WORDS or not part for part in (parts if len(parts) > 1 else [bare])
    )


def says_place(words: list[str], lexicon: Lexicon) -> bool:
    """Whether capitalised `words` are a place's name by themselves: landscape, a saint, or no plain word."""
    telling = [word for word in words if says_which(word.strip(".,"))]
    return any(toponymic(word) for word in telling) or any(
        len(word) > 2 and not word.isupper() and not lexicon.is_word(word) for word in telling
    )


def toponymic(word: str) -> bool:
    bare = word.casefold().strip(".'’")
    return bare in TOPONYMS or bare in DEVOTIONAL
