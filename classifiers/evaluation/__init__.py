"""``wellmix evaluate``: how good the classifiers are, on one page."""

from classifiers.evaluation.findings import EvaluationReport
from classifiers.evaluation.page import evaluate

__all__ = ["EvaluationReport", "evaluate"]
