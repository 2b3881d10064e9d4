"""report.html in a run's folder: one page that needs no other file."""

from pyqmix.run.report.write import NAME, write_report

__all__ = ["NAME", "write_report"]
