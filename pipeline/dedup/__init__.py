"""Duplicates across all sources: which documents say the same, verified. :mod:`pipeline.dedup.make` is the main path."""

from pipeline.dedup.make import CLUSTERS_SCHEMA, DEDUP_VERSION, dedup_key, run_dedup

__all__ = ["CLUSTERS_SCHEMA", "DEDUP_VERSION", "dedup_key", "run_dedup"]
