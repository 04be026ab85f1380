"""The parity gate: an artefact draws the float64 oracle's picture, or there is no bundle."""

from ganexport.parity.cases import Case, Oracle, cases_for, feeds_of
from ganexport.parity.compare import check_target, compare, runtimes_of, too_slow
from ganexport.parity.encoder import CASE, check_encoder, encoder_cases
from ganexport.parity.report import parity_table, require_parity

__all__ = [
    "CASE",
    "Case",
    "Oracle",
    "cases_for",
    "check_encoder",
    "check_target",
    "compare",
    "encoder_cases",
    "feeds_of",
    "parity_table",
    "require_parity",
    "runtimes_of",
    "too_slow",
]
