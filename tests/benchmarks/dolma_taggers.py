"""dolma's own taggers on local files, for the models it would download. Imported by dolma in its own environment.

Only the paths differ: loading and prediction are dolma's. It finds this file by ``tagger_modules``.
"""

import os

from dolma.core.data_types import TextSlice
from dolma.core.ft_tagger import BaseFastTextTagger, Prediction
from dolma.core.registry import TaggerRegistry
from dolma.taggers.language import FastTextEnglishLanguageDocumentTagger
from dolma.taggers.tokenizers import BaseTokenizer
from tokenizers import Tokenizer

MODELS = os.environ["BENCH_MODELS"]


@TaggerRegistry.add("bench_language")
class Language(FastTextEnglishLanguageDocumentTagger):
    MODEL_PATH = os.environ["BENCH_LID"]


class _Classifier(BaseFastTextTagger):
    # As dolma.taggers.quality does it: the document in one line, the probability of the wanted label.
    name = ""

    def __init__(self):
        super().__init__(model_path=f"{MODELS}/{self.name}.bin", model_mode=self.DOCUMENT_LEVEL_TAGGER)

    def predict_slice(self, text_slice: TextSlice):
        labels, scores = self.classifier.predict(text_slice.text.replace("\n", " ").strip(), k=-1)
        return [
            Prediction(label=label.replace("__label__", ""), score=float(score))
            for label, score in zip(labels, scores, strict=True)
        ]


@TaggerRegistry.add("bench_forum")
class Forum(_Classifier):
    name = "forum"


@TaggerRegistry.add("bench_narrative")
class Narrative(_Classifier):
    name = "narrative"


@TaggerRegistry.add("bench_tokens")
class Tokens(BaseTokenizer):
    TOKENIZER_PATH = f"{MODELS}/tokenizer.json"

    def __init__(self):
        self.tokenizer = Tokenizer.from_file(self.TOKENIZER_PATH)
