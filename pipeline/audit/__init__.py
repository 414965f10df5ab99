"""Privacy audit: what personal data is left in anything wellmix wrote, and whether planted canaries leaked."""

from pipeline.audit.canaries import make_canaries
from pipeline.audit.make import Audit, audit

__all__ = ["Audit", "audit", "make_canaries"]
