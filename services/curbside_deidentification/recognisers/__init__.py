"""Our recognisers, one identifier per file; each cites its letter of 45 CFR 164.514(b)(2)(i).

They are rules: a text and its vocabulary in, mentions out. `curbside_deidentification.detector` runs them on
presidio's registry beside the statistical model.
"""

from __future__ import annotations

from typing import Final

from curbside_deidentification.domain.patterns import Recogniser
from curbside_deidentification.recognisers.account import Account, ContactSerialNumber
from curbside_deidentification.recognisers.address_with_unit import AddressWithUnit
from curbside_deidentification.recognisers.bank_account import BankAccount
from curbside_deidentification.recognisers.bare_id import BareId
from curbside_deidentification.recognisers.biometric import Biometric
from curbside_deidentification.recognisers.called_name import CalledName
from curbside_deidentification.recognisers.capital_facility import CapitalFacility
from curbside_deidentification.recognisers.capital_last_first import CapitalLastFirst
from curbside_deidentification.recognisers.capital_place import CapitalPlace
from curbside_deidentification.recognisers.card_number import CardNumber
from curbside_deidentification.recognisers.clia_number import CliaNumber
from curbside_deidentification.recognisers.confirmation_code import ConfirmationCode
from curbside_deidentification.recognisers.coordinates import Coordinates
from curbside_deidentification.recognisers.county import County
from curbside_deidentification.recognisers.credentialed_last_first import CredentialedLastFirst
from curbside_deidentification.recognisers.credentialed_name import CredentialedName
from curbside_deidentification.recognisers.crew_number import CrewNumber, DispatchedUnit
from curbside_deidentification.recognisers.dates_and_ages import DATES as DATES
from curbside_deidentification.recognisers.dea_number import DeaNumber
from curbside_deidentification.recognisers.dealt_with_facility import DealtWithFacility
from curbside_deidentification.recognisers.device import LabelledDevice
from curbside_deidentification.recognisers.donation_number import DonationNumber
from curbside_deidentification.recognisers.elided_number import ElidedNumber
from curbside_deidentification.recognisers.email import Email
from curbside_deidentification.recognisers.expected_initials import ExpectedInitials
from curbside_deidentification.recognisers.facility import Facility
from curbside_deidentification.recognisers.facility_by_kind import FacilityByKind
from curbside_deidentification.recognisers.family_name import FamilyName
from curbside_deidentification.recognisers.fax import Fax
from curbside_deidentification.recognisers.foreign_street import ForeignStreet
from curbside_deidentification.recognisers.given_name import GivenName
from curbside_deidentification.recognisers.grouped_number import GroupedNumber
from curbside_deidentification.recognisers.heading_facility import HeadingFacility
from curbside_deidentification.recognisers.health_plan import HealthPlan
from curbside_deidentification.recognisers.hl7_address import Hl7Address
from curbside_deidentification.recognisers.hl7_facility import (
    Hl7Location,
    Hl7ReceivingFacility,
    Hl7SendingFacility,
)
from curbside_deidentification.recognisers.hl7_field import Hl7Field
from curbside_deidentification.recognisers.hl7_identifier import Hl7Identifier
from curbside_deidentification.recognisers.hl7_name import Hl7Name
from curbside_deidentification.recognisers.hometown import Hometown
from curbside_deidentification.recognisers.hospital_abbreviation import HospitalAbbreviation
from curbside_deidentification.recognisers.hospital_unit import HospitalUnit
from curbside_deidentification.recognisers.initial_with_name import InitialWithName
from curbside_deidentification.recognisers.internal_phone import InternalPhone
from curbside_deidentification.recognisers.introduced_name import IntroducedName
from curbside_deidentification.recognisers.ip_address import IpAddress
from curbside_deidentification.recognisers.italian_fiscal_code import ItalianFiscalCode
from curbside_deidentification.recognisers.kin import Kin
from curbside_deidentification.recognisers.labelled_facility import LabelledFacility
from curbside_deidentification.recognisers.labelled_last_first import LabelledLastFirst
from curbside_deidentification.recognisers.labelled_name import LabelledName
from curbside_deidentification.recognisers.labelled_phone import LabelledPhone
from curbside_deidentification.recognisers.labelled_social_security_number import LabelledSocialSecurityNumber
from curbside_deidentification.recognisers.labelled_town import LabelledTown
from curbside_deidentification.recognisers.last_first import LastFirst
from curbside_deidentification.recognisers.last_four import LastFour
from curbside_deidentification.recognisers.letterhead import Letterhead
from curbside_deidentification.recognisers.licence import License
from curbside_deidentification.recognisers.licence_plate import LabelledVehicle
from curbside_deidentification.recognisers.local_phone import LocalPhone
from curbside_deidentification.recognisers.logged_initials import LoggedInitials
from curbside_deidentification.recognisers.login import Login
from curbside_deidentification.recognisers.long_number import LongNumber
from curbside_deidentification.recognisers.lower_last_first import LowerLastFirst
from curbside_deidentification.recognisers.lower_name import LowerName
from curbside_deidentification.recognisers.lower_titled_name import LowerTitledName
from curbside_deidentification.recognisers.mac_address import MacAddress
from curbside_deidentification.recognisers.marked_up_name import MarkedUpName
from curbside_deidentification.recognisers.masked_number import MaskedNumber
from curbside_deidentification.recognisers.medical_record_number import MedicalRecordNumber
from curbside_deidentification.recognisers.medicare_beneficiary_id import MedicareBeneficiaryId
from curbside_deidentification.recognisers.military_address import MilitaryAddress
from curbside_deidentification.recognisers.name_in_cell import NameInCell
from curbside_deidentification.recognisers.name_in_context import NameInContext
from curbside_deidentification.recognisers.name_in_line import NameInLine
from curbside_deidentification.recognisers.name_of_service import NameOfService
from curbside_deidentification.recognisers.name_pair import NamePair
from curbside_deidentification.recognisers.name_with_initial import NameWithInitial
from curbside_deidentification.recognisers.name_with_phone import NameWithPhone
from curbside_deidentification.recognisers.named_person import NamedPerson
from curbside_deidentification.recognisers.named_street import NamedStreet
from curbside_deidentification.recognisers.national_phone import NationalPhone
from curbside_deidentification.recognisers.neighbourhood import Neighbourhood
from curbside_deidentification.recognisers.newborn_name import NewbornName
from curbside_deidentification.recognisers.nhs_number import NhsNumber
from curbside_deidentification.recognisers.npi import Npi
from curbside_deidentification.recognisers.numbered_road import NumberedRoad
from curbside_deidentification.recognisers.numbered_run import NumberedRun
from curbside_deidentification.recognisers.numbered_school import NumberedSchool
from curbside_deidentification.recognisers.other_id import OtherId
from curbside_deidentification.recognisers.pager import Pager
from curbside_deidentification.recognisers.parcel import Parcel
from curbside_deidentification.recognisers.particled_name import ParticledName
from curbside_deidentification.recognisers.patient_name import PatientName
from curbside_deidentification.recognisers.payment_card import PaymentCard
from curbside_deidentification.recognisers.phone import Phone
from curbside_deidentification.recognisers.phone_ending import PhoneEnding
from curbside_deidentification.recognisers.phone_in_words import PhoneInWords
from curbside_deidentification.recognisers.phone_with_use import PhoneWithUse
from curbside_deidentification.recognisers.photo_file import PhotoFile
from curbside_deidentification.recognisers.place_in_header import PlaceInHeader
from curbside_deidentification.recognisers.place_of_care import LabelledPlace, PlaceOfCare, PlaceOfTransfer
from curbside_deidentification.recognisers.placed_address import PlacedAddress
from curbside_deidentification.recognisers.placed_initials import PlacedInitials
from curbside_deidentification.recognisers.placed_town import PlacedTown
from curbside_deidentification.recognisers.plate_of_vehicle import PlateOfVehicle
from curbside_deidentification.recognisers.post_box import PostBox
from curbside_deidentification.recognisers.postcode import Postcode
from curbside_deidentification.recognisers.residence import Residence
from curbside_deidentification.recognisers.rural_route import RuralRoute
from curbside_deidentification.recognisers.salutation import Salutation
from curbside_deidentification.recognisers.school import School
from curbside_deidentification.recognisers.second_phone import SecondPhone
from curbside_deidentification.recognisers.shelter import Shelter
from curbside_deidentification.recognisers.shop import Shop
from curbside_deidentification.recognisers.short_extension import ShortExtension
from curbside_deidentification.recognisers.signed_name import SignedName
from curbside_deidentification.recognisers.slash_signature import SlashSignature
from curbside_deidentification.recognisers.social_handle import SocialHandle
from curbside_deidentification.recognisers.social_insurance_number import SocialInsuranceNumber
from curbside_deidentification.recognisers.social_security_number import SocialSecurityNumber
from curbside_deidentification.recognisers.spanish_identity_number import SpanishIdentityNumber
from curbside_deidentification.recognisers.speaker import Speaker
from curbside_deidentification.recognisers.spelled_name import SpelledName
from curbside_deidentification.recognisers.spoken_phone import SpokenPhone
from curbside_deidentification.recognisers.spoken_social_security_number import SpokenSocialSecurityNumber
from curbside_deidentification.recognisers.street_address import StreetAddress
from curbside_deidentification.recognisers.street_corner import StreetCorner
from curbside_deidentification.recognisers.structured_address import MarkedAddress, StructuredAddress
from curbside_deidentification.recognisers.surname_with_pager import SurnameWithPager
from curbside_deidentification.recognisers.team_initials import TeamInitials
from curbside_deidentification.recognisers.three_digit_zip import ThreeDigitZip
from curbside_deidentification.recognisers.titled_name import TitledName
from curbside_deidentification.recognisers.toponym import Toponym
from curbside_deidentification.recognisers.town import Town
from curbside_deidentification.recognisers.town_and_state import TownAndState
from curbside_deidentification.recognisers.town_below_street import TownBelowStreet
from curbside_deidentification.recognisers.town_of_house import TownOfHouse
from curbside_deidentification.recognisers.transcription_service import TranscriptionService
from curbside_deidentification.recognisers.typist_initials import TypistInitials
from curbside_deidentification.recognisers.uk_postcode import UkPostcode
from curbside_deidentification.recognisers.unique_device_identifier import UniqueDeviceIdentifier
from curbside_deidentification.recognisers.universal_id import UniversalId
from curbside_deidentification.recognisers.university import University
from curbside_deidentification.recognisers.unknown_initials import UnknownInitials
from curbside_deidentification.recognisers.unnumbered_street import UnnumberedStreet
from curbside_deidentification.recognisers.url import Url
from curbside_deidentification.recognisers.user_name import UserName
from curbside_deidentification.recognisers.vehicle_identification import VehicleIdentification
from curbside_deidentification.recognisers.will_as_name import WillAsName
from curbside_deidentification.recognisers.workplace import Premises, Workplace
from curbside_deidentification.recognisers.zip_code import Zip

# Letter A.
NAMES: Final[tuple[Recogniser, ...]] = (
    TitledName(),
    CredentialedName(),
    CredentialedLastFirst(),
    LabelledLastFirst(),
    LabelledName(),
    SignedName(),
    Salutation(),
    NamedPerson(),
    CalledName(),
    Kin(),
    PatientName(),
    TypistInitials(),
    LoggedInitials(),
    PlacedInitials(),
    UnknownInitials(),
    ExpectedInitials(),
    TeamInitials(),
    SlashSignature(),
    IntroducedName(),
    NameInLine(),
    LowerTitledName(),
    NameWithInitial(),
    InitialWithName(),
    GivenName(),
    CapitalLastFirst(),
    LastFirst(),
    NameInContext(),
    NameOfService(),
    NameWithPhone(),
    WillAsName(),
    NameInCell(),
    FamilyName(),
    SpelledName(),
    ParticledName(),
    Speaker(),
    NamePair(),
    NewbornName(),
    LowerName(),
    LowerLastFirst(),
    Hl7Name(),
    MarkedUpName(),
    UserName(),
    Login(),
    SocialHandle(),
)
# Letter B.
PLACES: Final[tuple[Recogniser, ...]] = (
    StreetAddress(),
    NamedStreet(),
    PostBox(),
    RuralRoute(),
    UnnumberedStreet(),
    Hl7Address(),
    StructuredAddress(),
    MarkedAddress(),
    TownAndState(),
    Zip(),
    AddressWithUnit(),
    MilitaryAddress(),
    ForeignStreet(),
    PlacedAddress(),
    StreetCorner(),
    NumberedRoad(),
    Shop(),
    Neighbourhood(),
    TownBelowStreet(),
    County(),
    Postcode(),
    UkPostcode(),
    Coordinates(),
    ThreeDigitZip(),
    CapitalFacility(),
    HospitalUnit(),
    Facility(),
    FacilityByKind(),
    LabelledFacility(),
    Letterhead(),
    HeadingFacility(),
    DealtWithFacility(),
    PlaceInHeader(),
    Hl7SendingFacility(),
    Hl7ReceivingFacility(),
    Hl7Location(),
    University(),
    School(),
    NumberedSchool(),
    Shelter(),
    Workplace(),
    Premises(),
    TranscriptionService(),
    HospitalAbbreviation(),
    Residence(),
    PlaceOfCare(),
    PlaceOfTransfer(),
    LabelledPlace(),
    Toponym(),
    CapitalPlace(),
    PlacedTown(),
    TownOfHouse(),
    Hometown(),
    LabelledTown(),
    Town(),
)
# Letters D to R.
IDENTIFIERS: Final[tuple[Recogniser, ...]] = (
    MedicalRecordNumber(),
    SocialSecurityNumber(),
    LabelledSocialSecurityNumber(),
    SpokenSocialSecurityNumber(),
    Account(),
    ContactSerialNumber(),
    PaymentCard(),
    BankAccount(),
    HealthPlan(),
    MedicareBeneficiaryId(),
    License(),
    DeaNumber(),
    Npi(),
    CliaNumber(),
    VehicleIdentification(),
    LabelledVehicle(),
    PlateOfVehicle(),
    LabelledDevice(),
    UniqueDeviceIdentifier(),
    MacAddress(),
    OtherId(),
    GroupedNumber(),
    ConfirmationCode(),
    NumberedRun(),
    CrewNumber(),
    DispatchedUnit(),
    DonationNumber(),
    Parcel(),
    BareId(),
    UniversalId(),
    Hl7Field(),
    MaskedNumber(),
    ElidedNumber(),
    LongNumber(),
    Hl7Identifier(),
    Phone(),
    LabelledPhone(),
    LocalPhone(),
    Pager(),
    SurnameWithPager(),
    LastFour(),
    NationalPhone(),
    PhoneWithUse(),
    SpokenPhone(),
    PhoneInWords(),
    SecondPhone(),
    ShortExtension(),
    InternalPhone(),
    PhoneEnding(),
    CardNumber(),
    NhsNumber(),
    SocialInsuranceNumber(),
    SpanishIdentityNumber(),
    ItalianFiscalCode(),
    Fax(),
    Email(),
    Url(),
    IpAddress(),
    Biometric(),
    PhotoFile(),
)
RULES: Final[tuple[Recogniser, ...]] = (*IDENTIFIERS, *DATES, *PLACES, *NAMES)
