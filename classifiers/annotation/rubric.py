"""What the model is asked and what it may answer: the rubric, the prompt around a text, the labels."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from classifiers.taxonomy import BEHAVIOURS, FACETS, REGISTER, SAFETY, STANCE

RUBRIC = Path(__file__).with_name("RUBRIC.md")
#: Longest excerpt of a text that is read, characters.
EXCERPT = 2_000


def _one_of(labels: Iterable[str]) -> Any:
    """Pydantic's own message names the pattern and not what was given, which may quote the text."""
    return Field(pattern=f"^({'|'.join(labels)})$")


class Labels(BaseModel):
    """What a model says of one text; anything outside the rubric is an error."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    relevance: int = Field(ge=0, le=5)
    facets: dict[Annotated[str, _one_of(FACETS)], Literal[1, 2]]
    stance: Annotated[str, _one_of(STANCE)]
    support: int | None = Field(ge=0, le=3)
    behaviours: list[Annotated[str, _one_of(BEHAVIOURS)]]
    safety: list[Annotated[str, _one_of(SAFETY)]]
    # The plain name is a method of every abstract base class.
    register_: Annotated[str, _one_of(REGISTER)] = Field(alias="register")
    confidence: float = Field(ge=0, le=1, allow_inf_nan=False)

    @field_validator("facets", mode="before")
    @classmethod
    def _without_zeros(cls, given: Any) -> Any:
        """A facet at 0 is one that was left out, said in more words."""
        return {name: level for name, level in given.items() if level != 0} if isinstance(given, dict) else given

    @model_validator(mode="after")
    def _only_responders_behave(self) -> Labels:
        if self.support is None and self.behaviours:
            raise PydanticCustomError("behaviours", "behaviours must be empty where support is null")
        return self


class AnswerError(ValueError):
    """An answer that is no annotation. Its message quotes neither the answer nor the text."""


def parse_answer(answer: str) -> Labels:
    """The annotation in a model's answer: one JSON object, bare, fenced or with words around it.

    :raises AnswerError: there is no such object, more than one, or it breaks the rubric.
    """
    answer = re.sub(r"<think>.*?</think>", "", answer, flags=re.DOTALL)
    try:
        return Labels.model_validate_json(answer[answer.find("{") : answer.rfind("}") + 1])
    except ValidationError as error:
        raise AnswerError("; ".join(map(_problem, error.errors()[:4]))) from None


def _problem(error: Mapping[str, Any]) -> str:
    """One thing wrong with an answer. A field we do not know was named by the model, and may quote the text."""
    field = next(iter(error["loc"]), "the answer")
    return f"{'a field' if error['type'] == 'extra_forbidden' else field}: {error['msg']}"


_TEXT = """<text-{key}>
{text}
</text-{key}>

Judge the text between the marks by the rubric. Answer the JSON object only."""

#: What a model is told whose answer is not valid.
AGAIN = "That answer is not valid: {problem}. Judge the same text again. Answer the JSON object only."


def system_prompt(opinion: Literal[1, 2] = 1) -> str:
    """The rubric and the form of the answer.

    :param opinion: a second opinion reads the rubric's parts in the opposite order. Asked the same thing in the same words
        at temperature 0, a model would only repeat itself.
    """
    intro, *parts, answer = re.split(r"(?m)^(?=## )", RUBRIC.read_text("utf-8"))
    return "\n\n".join(part.strip() for part in (intro, *(parts if opinion == 1 else reversed(parts)), answer))


def rubric_hash() -> str:
    """12 hex digits that change whenever a model is asked something else."""
    asked = [system_prompt(), system_prompt(2), _TEXT, AGAIN, str(EXCERPT)]
    return hashlib.sha256("\x1f".join(asked).encode()).hexdigest()[:12]


def user_prompt(text: str) -> str:
    """A text between its marks. Their key is made from the text, so no text can hold its own closing mark."""
    return _TEXT.format(key=hashlib.sha256(text.encode()).hexdigest()[:16], text=text)


def excerpt(text: str) -> str:
    """The first :data:`EXCERPT` characters, ending with a whole word where the script has words."""
    text = text.strip()
    head = text[: EXCERPT + 1].rsplit(None, 1)[0] if len(text) > EXCERPT else text
    return (head if len(head) > EXCERPT // 2 else text)[:EXCERPT]
