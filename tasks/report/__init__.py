"""Turns what the stages left into report.json and one self-contained report.html.

Law: renders only what was recorded; computes no verdict and fetches nothing.
"""

from tasks.report.build import build_report
from tasks.report.model import LedgerFigures, Report
from tasks.report.write import Written, write_report

__all__ = ["LedgerFigures", "Report", "Written", "build_report", "write_report"]
