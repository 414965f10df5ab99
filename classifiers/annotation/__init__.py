"""Labels from a language model: texts in, annotations out, in the format training reads (FineWeb-Edu's way).

A model behind any endpoint that speaks OpenAI's chat completions reads each text with ``RUBRIC.md`` and answers one JSON
object, which is checked before anything is written. Texts go to the endpoint and to ``out``, never into messages, errors
or the list of the rejected.
"""

from classifiers.annotation.run import AnnotateReport, annotate

__all__ = ["AnnotateReport", "annotate"]
