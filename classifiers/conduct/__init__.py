"""Conduct: what a prompt asks of whoever answers it, and what a reply does, by rules that can be read.

Beside the trained classifiers (:mod:`classifiers.scorer`) these rules guard fine-tuning and preference sets where one miss
matters more than many false alarms. Start in :mod:`classifiers.conduct.judge`; measured in ``classifiers/CONDUCT.md``.
"""

from classifiers.conduct.judge import CONDUCT_VERSION, SCHEMA, crisis_ok, examine, reasons

__all__ = ["CONDUCT_VERSION", "SCHEMA", "crisis_ok", "examine", "reasons"]
