"""Curation: from documents to fine-tuning and preference sets. :mod:`pipeline.curate.make` is the main path; read it first."""

from pipeline.curate.make import SetResult, run_curate

__all__ = ["SetResult", "run_curate"]
