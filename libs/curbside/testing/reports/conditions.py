"""The rules: which findings make which diagnosis, and how each finding is said.

A condition has a key finding with a measure that a patient's timeline moves, a second finding that tells
it from its neighbours, and a complication that comes and goes. Every abnormal sentence names no normal
cue, every normal one does ("no", "without", "normal", "clear", "unremarkable").
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class ReportType(StrEnum):
    RADIOLOGY = "radiology"
    DISCHARGE = "discharge"
    PATHOLOGY = "pathology"
    CLINIC = "clinic"


@dataclass(frozen=True, slots=True)
class Said:
    """One fact in several wordings; the held-out ones never occur where the seen ones do.

    `{site}` is the condition's site and `{value}` its measure with unit.
    """

    seen: tuple[str, ...]
    held_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Measure:
    """What a timeline moves. `decimals` are written; a rise by a quarter or more is worse."""

    noun: str
    unit: str
    low: float
    high: float
    decimals: int


@dataclass(frozen=True, slots=True)
class Condition:
    diagnosis: str
    type: ReportType
    sites: tuple[str, ...]
    complaint: Said
    key: Said
    second: Said
    measure: Measure
    complication: str  # the noun, as the interval change says it
    complication_present: Said
    complication_absent: Said
    impression: str  # {site}, {value}; one short sentence


CONDITIONS: Final = (
    Condition(
        "Community acquired pneumonia",
        ReportType.RADIOLOGY,
        ("right lower lobe", "left lower lobe", "right upper lobe", "left upper lobe", "right middle lobe"),
        Said(
            ("Cough and fever for {days} days.", "Productive cough with fever for {days} days."),
            ("{days} days of coughing up sputum with a raised temperature.",),
        ),
        Said(
            ("Consolidation in the {site} measures {value}.", "There is {site} consolidation of {value}."),
            ("An opacified area of {value} occupies the {site}.",),
        ),
        Said(
            ("Air bronchograms are seen within it.", "Air bronchograms are present."),
            ("Branching lucencies run through the opacity.",),
        ),
        Measure("consolidation", "cm", 2.0, 7.5, 1),
        "effusion",
        Said(
            ("A small parapneumonic effusion is present.", "There is a small parapneumonic effusion."),
            ("A little fluid layers beside the opacity.",),
        ),
        Said(("No effusion.", "No pleural effusion is seen."), ("Both pleural spaces are clear of fluid.",)),
        "Pneumonia of the {site} measuring {value}.",
    ),
    Condition(
        "Congestive heart failure",
        ReportType.RADIOLOGY,
        ("bilateral", "right greater than left", "left greater than right"),
        Said(
            ("Shortness of breath and leg swelling for {days} days.", "Dyspnea lying flat for {days} days."),
            ("{days} days of breathlessness and swollen ankles.",),
        ),
        Said(
            ("Pleural effusions are {site} and measure {value}.", "There are {site} effusions of {value}."),
            ("Fluid of {value} layers in the pleural spaces, {site}.",),
        ),
        Said(("The heart is enlarged.", "Cardiomegaly is present."), ("The cardiac silhouette is widened.",)),
        Measure("effusions", "cm", 1.0, 6.0, 1),
        "edema",
        Said(
            ("Interstitial edema is present.", "There is interstitial edema."),
            ("Kerley lines mark the lung bases.",),
        ),
        Said(("No interstitial edema.", "No edema is seen."), ("The interstitium is normal.",)),
        "Heart failure with {site} effusions measuring {value}.",
    ),
    Condition(
        "Primary lung cancer",
        ReportType.RADIOLOGY,
        ("right upper lobe", "left upper lobe", "right lower lobe", "left lower lobe"),
        Said(
            ("Weight loss and a long smoking history.", "Smoker with weight loss over {days} weeks."),
            ("Long-time tobacco user who is losing weight.",),
        ),
        Said(
            (
                "A spiculated nodule in the {site} measures {value}.",
                "There is a {site} spiculated nodule of {value}.",
            ),
            ("A {value} lesion with irregular margins lies in the {site}.",),
        ),
        Said(
            ("Hilar lymph nodes are enlarged.", "There is hilar adenopathy."),
            ("Bulky nodes fill the hilum.",),
        ),
        Measure("nodule", "cm", 0.8, 4.5, 1),
        "atelectasis",
        Said(
            ("Atelectasis is present beyond it.", "There is distal atelectasis."),
            ("The lung beyond the lesion has collapsed.",),
        ),
        Said(("No atelectasis.", "No atelectasis is seen."), ("The distal lung is expanded as is normal.",)),
        "Lung cancer of the {site} measuring {value}.",
    ),
    Condition(
        "Spontaneous pneumothorax",
        ReportType.RADIOLOGY,
        ("right", "left"),
        Said(
            ("Sudden chest pain since {days} days.", "Sudden pleuritic chest pain {days} days ago."),
            ("Abrupt stabbing pain on breathing in, {days} days ago.",),
        ),
        Said(
            (
                "A {site} pleural line lies {value} from the chest wall.",
                "The {site} lung edge is {value} off the chest wall.",
            ),
            ("Air separates the {site} lung from the ribs by {value}.",),
        ),
        Said(
            ("Apical blebs are seen.", "There are apical blebs."), ("Thin-walled air pockets cap the apex.",)
        ),
        Measure("pneumothorax", "cm", 0.6, 4.5, 1),
        "emphysema",
        Said(
            ("Subcutaneous emphysema is present.", "There is subcutaneous emphysema."),
            ("Air tracks beneath the skin.",),
        ),
        Said(
            ("No subcutaneous emphysema.", "No subcutaneous air is seen."),
            ("The soft tissues are unremarkable.",),
        ),
        "Pneumothorax on the {site} measuring {value}.",
    ),
    Condition(
        "Acute myocardial infarction",
        ReportType.DISCHARGE,
        ("anterior", "inferior", "lateral"),
        Said(
            ("Crushing chest pain for {days} hours.", "Chest pain spreading to the arm for {days} hours."),
            ("{days} hours of heavy pressure behind the sternum.",),
        ),
        Said(
            ("Troponin peaked at {value}.", "The troponin rose to {value}."),
            ("Cardiac enzymes reached {value}.",),
        ),
        Said(
            ("ST elevation was seen in the {site} leads.", "The {site} leads showed ST elevation."),
            ("The tracing demonstrated {site} injury current.",),
        ),
        Measure("troponin", "ng/mL", 1.0, 30.0, 1),
        "arrhythmia",
        Said(
            ("Runs of ventricular tachycardia occurred.", "Ventricular tachycardia was recorded."),
            ("The monitor caught a fast ventricular rhythm.",),
        ),
        Said(("No arrhythmia occurred.", "No arrhythmia was recorded."), ("The rhythm stayed normal.",)),
        "Infarction of the {site} wall with troponin {value}.",
    ),
    Condition(
        "Acute kidney injury",
        ReportType.DISCHARGE,
        ("prerenal", "obstructive", "drug-induced"),
        Said(
            ("Poor intake and vomiting for {days} days.", "Vomiting with little urine for {days} days."),
            ("{days} days of hardly drinking or passing water.",),
        ),
        Said(
            ("Creatinine rose to {value}.", "The creatinine was {value}."),
            ("Renal function worsened to {value}.",),
        ),
        Said(
            ("Urine output fell in a {site} pattern.", "Oliguria of {site} type was present."),
            ("The {site} picture came with scant urine.",),
        ),
        Measure("creatinine", "mg/dL", 1.8, 8.0, 1),
        "hyperkalemia",
        Said(
            ("Potassium was high at 6.1.", "Hyperkalemia of 6.1 was found."),
            ("The potassium climbed above six.",),
        ),
        Said(("No hyperkalemia.", "Potassium was normal."), ("Electrolytes stayed within normal limits.",)),
        "Kidney injury of {site} type with creatinine {value}.",
    ),
    Condition(
        "Diabetic ketoacidosis",
        ReportType.DISCHARGE,
        ("missed insulin", "infection", "new diabetes"),
        Said(
            ("Thirst and vomiting for {days} days.", "Abdominal pain and thirst for {days} days."),
            ("{days} days of drinking heavily and retching.",),
        ),
        Said(
            ("Glucose was {value} on admission.", "The glucose measured {value}."),
            ("Sugar stood at {value} on arrival.",),
        ),
        Said(
            ("Ketones were strongly positive after {site}.", "Ketosis followed {site}."),
            ("Large ketonemia came about through {site}.",),
        ),
        Measure("glucose", "mg/dL", 280.0, 850.0, 0),
        "confusion",
        Said(
            ("Confusion was present on arrival.", "The patient was confused."),
            ("Thinking was clouded at first.",),
        ),
        Said(("No confusion.", "Mental status was normal."), ("Alertness was unremarkable throughout.",)),
        "Ketoacidosis from {site} with glucose {value}.",
    ),
    Condition(
        "Acute pancreatitis",
        ReportType.DISCHARGE,
        ("gallstones", "alcohol", "high triglycerides"),
        Said(
            ("Epigastric pain for {days} days.", "Upper abdominal pain into the back for {days} days."),
            ("{days} days of boring pain through to the spine.",),
        ),
        Said(
            ("Lipase was {value}.", "The lipase rose to {value}."),
            ("The pancreatic enzyme measured {value}.",),
        ),
        Said(
            ("Imaging pointed to {site} as the cause.", "The cause was {site}."),
            ("Workup implicated {site}.",),
        ),
        Measure("lipase", "U/L", 400.0, 4000.0, 0),
        "necrosis",
        Said(
            ("Pancreatic necrosis was seen.", "Scans showed necrosis."),
            ("Part of the gland had died on scan.",),
        ),
        Said(
            ("No necrosis.", "No necrosis was seen."), ("The gland enhanced normally, without dead tissue.",)
        ),
        "Pancreatitis due to {site} with lipase {value}.",
    ),
    Condition(
        "Invasive ductal carcinoma",
        ReportType.PATHOLOGY,
        ("left breast", "right breast"),
        Said(
            ("Hard breast lump felt {days} weeks ago.", "Palpable breast mass for {days} weeks."),
            ("A firm lump was noticed {days} weeks back.",),
        ),
        Said(
            ("The {site} tumor measures {value}.", "A tumor of {value} lies in the {site}."),
            ("Sections of {site} hold a growth of {value}.",),
        ),
        Said(
            ("Irregular glands infiltrate the stroma.", "Infiltrating glands invade desmoplastic stroma."),
            ("Angular ducts burrow through scarred tissue.",),
        ),
        Measure("tumor", "cm", 0.8, 5.0, 1),
        "lymphovascular invasion",
        Said(
            ("Lymphovascular invasion is present.", "There is lymphovascular invasion."),
            ("Tumor cells sit inside vessels.",),
        ),
        Said(("No lymphovascular invasion.", "No lymphovascular invasion is seen."), ("Vessels are clear.",)),
        "Ductal carcinoma of the {site} measuring {value}.",
    ),
    Condition(
        "Fibroadenoma",
        ReportType.PATHOLOGY,
        ("left breast", "right breast"),
        Said(
            ("Mobile breast lump felt {days} weeks ago.", "Rubbery breast mass for {days} weeks."),
            ("A movable lump was noticed {days} weeks back.",),
        ),
        Said(
            ("The {site} nodule measures {value}.", "A nodule of {value} lies in the {site}."),
            ("Sections of {site} hold a round mass of {value}.",),
        ),
        Said(
            ("Compressed ducts lie in fibrous stroma.", "Slit-like ducts are set in fibrous stroma."),
            ("Fibrous tissue squeezes the ducts flat.",),
        ),
        Measure("nodule", "cm", 0.8, 5.0, 1),
        "calcification",
        Said(
            ("Coarse calcification is present.", "There is coarse calcification."),
            ("Chalky deposits dot the mass.",),
        ),
        Said(("No calcification.", "No calcification is seen."), ("The mass is clear of chalky deposits.",)),
        "Fibroadenoma of the {site} measuring {value}.",
    ),
    Condition(
        "Tubular adenoma",
        ReportType.PATHOLOGY,
        ("sigmoid colon", "cecum", "ascending colon", "rectum"),
        Said(
            ("Polyp found at screening {days} weeks ago.", "Screening colonoscopy with a polyp."),
            ("A growth turned up on routine endoscopy.",),
        ),
        Said(
            ("The {site} polyp measures {value}.", "A polyp of {value} comes from the {site}."),
            ("The specimen from {site} spans {value}.",),
        ),
        Said(
            ("Crowded tubules show low-grade dysplasia.", "Tubular glands show low-grade dysplasia."),
            ("Packed tube-shaped glands carry mild atypia.",),
        ),
        Measure("polyp", "mm", 4.0, 28.0, 0),
        "high-grade dysplasia",
        Said(
            ("High-grade dysplasia is present focally.", "There is focal high-grade dysplasia."),
            ("One focus carries marked atypia.",),
        ),
        Said(
            ("No high-grade dysplasia.", "No high-grade dysplasia is seen."),
            ("The gland surface is without marked atypia.",),
        ),
        "Adenoma of the {site} measuring {value}.",
    ),
    Condition(
        "Basal cell carcinoma",
        ReportType.PATHOLOGY,
        ("nose", "left cheek", "right temple", "upper back"),
        Said(
            ("Pearly skin lesion for {days} months.", "Slow-growing skin lesion for {days} months."),
            ("A shiny bump has enlarged over {days} months.",),
        ),
        Said(
            ("The lesion of the {site} measures {value}.", "A lesion of {value} comes from the {site}."),
            ("Skin of {site} carries a plaque of {value}.",),
        ),
        Said(
            ("Basaloid nests show palisading.", "Palisading basaloid nests are present."),
            ("Islands of dark cells line up like a fence.",),
        ),
        Measure("lesion", "mm", 4.0, 25.0, 0),
        "ulceration",
        Said(("Ulceration is present.", "There is surface ulceration."), ("The surface has broken down.",)),
        Said(("No ulceration.", "No ulceration is seen."), ("The surface is normal.",)),
        "Basal cell carcinoma of the {site} measuring {value}.",
    ),
    Condition(
        "Rheumatoid arthritis",
        ReportType.CLINIC,
        ("hands", "wrists", "knees"),
        Said(
            ("Morning stiffness for {days} weeks.", "Stiff painful joints for {days} weeks."),
            ("{days} weeks of joints that will not loosen before noon.",),
        ),
        Said(
            ("Swollen joints of the {site} number {value}.", "There are {value} about the {site}."),
            ("Puffiness affects the {site}, {value} in all.",),
        ),
        Said(
            ("Rheumatoid factor is positive.", "The rheumatoid factor came back positive."),
            ("Anti-CCP antibodies are raised.",),
        ),
        Measure("swelling", "swollen joints", 2.0, 16.0, 0),
        "nodules",
        Said(
            ("Rheumatoid nodules are present.", "There are rheumatoid nodules."),
            ("Firm lumps sit over the elbows.",),
        ),
        Said(("No rheumatoid nodules.", "No nodules are felt."), ("The elbows are clear of lumps.",)),
        "Rheumatoid arthritis of the {site} with {value}.",
    ),
    Condition(
        "Primary hypothyroidism",
        ReportType.CLINIC,
        ("diffuse", "nodular", "atrophic"),
        Said(
            ("Fatigue and cold intolerance for {days} weeks.", "Weight gain and fatigue for {days} weeks."),
            ("{days} weeks of feeling slow and chilly.",),
        ),
        Said(("TSH is {value}.", "The TSH came back at {value}."), ("Thyrotropin stands at {value}.",)),
        Said(
            ("The thyroid is {site} on palpation.", "A {site} thyroid is felt."), ("The gland feels {site}.",)
        ),
        Measure("TSH", "mIU/L", 8.0, 60.0, 0),
        "bradycardia",
        Said(
            ("Bradycardia of 48 is present.", "The pulse is slow at 48."), ("The heart beats under fifty.",)
        ),
        Said(("No bradycardia.", "The pulse is normal."), ("Heart rate is unremarkable.",)),
        "Hypothyroidism, {site} gland, with TSH {value}.",
    ),
    Condition(
        "Iron deficiency anemia",
        ReportType.CLINIC,
        ("heavy periods", "gastric bleeding", "poor diet"),
        Said(
            ("Tiredness for {days} weeks.", "Tiredness and pallor for {days} weeks."),
            ("{days} weeks of being worn out and pale.",),
        ),
        Said(
            ("Ferritin deficit is {value}.", "The ferritin deficit came to {value}."),
            ("Iron stores are short by {value}.",),
        ),
        Said(
            ("Red cells are small, from {site}.", "Microcytosis is explained by {site}."),
            ("Tiny pale cells follow {site}.",),
        ),
        Measure("deficit", "ng/mL", 5.0, 28.0, 0),
        "koilonychia",
        Said(("Koilonychia is present.", "There is koilonychia."), ("The nails are spoon-shaped.",)),
        Said(("No koilonychia.", "The nails are normal."), ("Nails are unremarkable.",)),
        "Iron deficiency from {site} with a deficit of {value}.",
    ),
    Condition(
        "Plaque psoriasis",
        ReportType.CLINIC,
        ("elbows", "scalp", "lower back"),
        Said(
            ("Itching rash for {days} weeks.", "Scaly rash for {days} weeks."),
            ("{days} weeks of flaking skin.",),
        ),
        Said(
            ("Plaques on the {site} measure {value}.", "There are plaques of {value} on the {site}."),
            ("Raised patches of {value} cover the {site}.",),
        ),
        Said(("Silvery scale covers them.", "Silvery scale is present."), ("They shed white flakes.",)),
        Measure("plaques", "cm", 2.0, 11.0, 1),
        "joint pain",
        Said(("Joint pain accompanies it.", "There is joint pain."), ("Fingers ache as well.",)),
        Said(("No joint pain.", "No joint pain is reported."), ("Fingers are normal.",)),
        "Psoriasis of the {site} measuring {value}.",
    ),
)

# Distractors: normal findings, each with its cue, by type and phrasing.
NORMAL: Final = {
    ReportType.RADIOLOGY: Said(
        (
            "The mediastinum is normal.",
            "The bones are unremarkable.",
            "The trachea is normal.",
            "The visible upper abdomen is unremarkable.",
            "No rib fracture.",
            "The aorta is normal.",
        ),
        (
            "Osseous structures appear unremarkable.",
            "Midline structures are in normal position.",
            "The great vessels are within normal limits.",
        ),
    ),
    ReportType.DISCHARGE: Said(
        (
            "Blood cultures were negative for growth.",
            "The liver panel was normal.",
            "No bleeding occurred.",
            "Oxygen saturation was normal.",
            "No falls occurred.",
            "The chest film was clear.",
        ),
        (
            "Hepatic tests were unremarkable.",
            "Breathing remained within normal limits.",
            "Cultures grew nothing, all negative for bacteria.",
        ),
    ),
    ReportType.PATHOLOGY: Said(
        (
            "The margins are clear.",
            "The skin surface is unremarkable.",
            "No necrosis is seen.",
            "Background tissue is normal.",
            "No granulomas.",
            "The fat is unremarkable.",
        ),
        (
            "Edges are clear in every section.",
            "Neighboring tissue looks unremarkable.",
            "Inked borders are without involvement.",
        ),
    ),
    ReportType.CLINIC: Said(
        (
            "The lungs are clear.",
            "The heart sounds are normal.",
            "The abdomen is unremarkable.",
            "No lymph nodes are enlarged.",
            "Gait is normal.",
            "The throat is clear.",
        ),
        (
            "Auscultation is unremarkable.",
            "Walking is within normal limits.",
            "Belly is soft without tenderness.",
        ),
    ),
}
