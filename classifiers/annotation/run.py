"""The run: every chosen text is asked about, several at a time, and some of them twice."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from classifiers.annotation import rubric
from classifiers.annotation.agreement import agreement
from classifiers.annotation.endpoint import Endpoint, Refused, Unanswered
from classifiers.annotation.files import Files, locked
from classifiers.annotation.sampling import Candidate, Identity, Scores, choose, read
from classifiers.excerpts import rank
from sources.errors import UserError

#: How often an answer that breaks the rubric is sent back before its text is given up.
REASKS = 2
#: Texts in a row that came back without any answer before the run stops.
GIVE_UP = 10


@dataclass
class AnnotateReport:
    """What a run did. Opinions that were refused, invalid or failed are first or second ones.

    :ivar chosen: texts to annotate; ``resumed`` of them an earlier run had annotated or rejected, and ``asked`` were put
        to the endpoint by this one, which gave ``annotated`` of them labels, and ``second`` of them second ones.
    :ivar refused: opinions the model or endpoint would not give.
    :ivar invalid: opinions that stayed outside the rubric after ``reasked`` answers in all were sent back.
    :ivar failed: opinions not had, as the endpoint did not answer; the next run asks again.
    :ivar cost: of this run's tokens; None without prices, or when the endpoint counts no tokens.
    :ivar skipped: lines of the input passed over, and ``first_skipped``, what was wrong with the first of them.
    :ivar agreement: over all texts of ``out`` with two opinions, see :func:`~classifiers.annotation.agreement.agreement`.
    """

    out: str
    annotator: str
    chosen: int = 0
    resumed: int = 0
    asked: int = 0
    annotated: int = 0
    second: int = 0
    refused: int = 0
    invalid: int = 0
    failed: int = 0
    reasked: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None
    skipped: int = 0
    first_skipped: str | None = None
    agreement: dict[str, float | None] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self)


@dataclass
class _Run:
    endpoint: Endpoint
    files: Files
    report: AnnotateReport
    #: Model and system prompt of the first and the second opinion.
    opinions: dict[int, tuple[str, str]]
    progress: Callable[[int, int], None]
    finished: int = 0
    without_answer: int = 0

    async def all(self, texts: list[Candidate], concurrency: int) -> None:
        """Annotate the texts, several at a time."""
        self.report.chosen = len(texts)
        self.report.resumed = sum(not self.files.wants(text, 1) for text in texts)
        pending = [text for text in texts if self.files.wants(text, 1) or self.files.wants(text, 2)]
        self.finished = len(texts) - len(pending)
        self.progress(self.finished, len(texts))
        queue = iter(pending)
        # One alone first: a wrong key or model costs one request, and what the endpoint takes is known to the others.
        await self._work(itertools.islice(queue, 1))
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(concurrency):
                    group.create_task(self._work(queue))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _work(self, queue: Iterator[Candidate]) -> None:
        for text in queue:
            self.report.asked += 1
            for opinion in (1, 2):
                if self.files.wants(text, opinion):
                    await self._opinion(text, opinion)
            self.finished += 1
            self.progress(self.finished, self.report.chosen)

    async def _opinion(self, text: Candidate, opinion: int) -> None:
        """Ask for an opinion and keep what comes of it."""
        report = self.report
        try:
            labels = await self._ask(*self.opinions[opinion], text.text)
        except Unanswered as error:
            report.failed += 1
            self.without_answer += 1
            if self.without_answer >= GIVE_UP:
                what = f"the last {GIVE_UP} texts had no answer: {error}"
                fix = "see that the endpoint works; the same command goes on from here"
                raise UserError(what, where=self.endpoint.address, fix=fix) from None
            return
        except Refused as error:
            report.refused += 1
            self.files.reject(opinion, text, f"refused: {error}")
        except rubric.AnswerError as error:
            report.invalid += 1
            self.files.reject(opinion, text, f"invalid: {error}")
        else:
            report.annotated += opinion == 1
            report.second += opinion == 2
            self.files.add(opinion, text, labels.model_dump(by_alias=True))
        self.without_answer = 0

    async def _ask(self, model: str, system: str, text: str) -> rubric.Labels:
        opening = [{"role": "system", "content": system}, {"role": "user", "content": rubric.user_prompt(text)}]
        messages = opening
        for _ in range(REASKS):
            answer = await self.endpoint.complete(model, messages)
            try:
                return rubric.parse_answer(answer)
            except rubric.AnswerError as error:
                self.report.reasked += 1
                messages = [
                    *opening,
                    {"role": "assistant", "content": answer[: rubric.EXCERPT] or "(nothing)"},
                    {"role": "user", "content": rubric.AGAIN.format(problem=error)},
                ]
        return rubric.parse_answer(await self.endpoint.complete(model, messages))


def annotate(
    texts: Path,
    out: Path,
    *,
    endpoint: str,
    model: str,
    api_key: str | None = None,
    sample: int | None = None,
    active: bool = True,
    seed: int = 0,
    second: float = 0.05,
    second_model: str | None = None,
    concurrency: int = 8,
    max_retries: int = 6,
    timeout: float = 60.0,
    price_in: float | None = None,
    price_out: float | None = None,
    scorer: Scores | None = None,
    progress: Callable[[int, int], None] = lambda finished, chosen: None,
) -> AnnotateReport:
    """Have a language model label texts with the rubric. The texts are sent to ``endpoint``.

    A rerun with the same ``out`` goes on where the last one stopped.

    :param texts: JSON lines (plain, .gz, .zst): objects with ``text`` and, optionally, ``id``, ``corpus`` and ``key``. Without
        an id a text is named by its content, without a corpus by the file.
    :param out: file to append annotations to, as in ``annotations/annotations.jsonl``, with ``annotator``: model and rubric.
        Beside it: ``.second.jsonl`` (second opinions) and ``.rejected.jsonl`` (ids and reasons).
    :param endpoint: address of an OpenAI-compatible API, the part before ``/chat/completions``.
    :param api_key: left out for a server without one. The environment is not looked at: a key goes nowhere unasked.
    :param sample: how many texts to annotate; all by default.
    :param active: take the texts the classifiers are least sure of, the same number from each corpus, and a tenth at
        random; otherwise all at random.
    :param second: share of texts asked twice, the second time with the rubric in another order.
    :param second_model: model for second opinions, behind the same endpoint; the same one by default.
    :param concurrency: texts asked at the same time.
    :param max_retries: how often a request is repeated after a limit, an error of the server or a lost connection.
    :param timeout: seconds to wait for an answer.
    :param price_in: price of a million tokens read; with ``price_out``, of those written, it gives the report's cost.
    :param scorer: what active sampling asks; the shipped :class:`~classifiers.scorer.Scorer` by default.
    :param progress: called at the start and after each text with the number finished and the number chosen.
    :raises UserError: the package ``openai`` is missing, a file cannot be read or written, ``out`` was begun with another
        model or rubric, or the endpoint cannot be used: a wrong key, address or model, no credit, no answers.
    """
    if concurrency < 1 or (sample is not None and sample < 1) or not 0 <= second <= 1:
        raise ValueError("concurrency and sample are at least 1, second is a share")
    asked = Endpoint(endpoint, api_key, max_retries, timeout)
    if not texts.is_file():
        raise UserError("there is no such file of texts", where=texts, fix="name a file of JSON lines")
    version, other = rubric.rubric_hash(), second_model or model
    opinions = {1: (model, rubric.system_prompt()), 2: (other, rubric.system_prompt(2))}
    annotators = {1: f"{model} rubric-{version}", 2: f"{other} rubric-{version} second"}
    report = AnnotateReport(str(out), annotators[1])

    def twice(identity: Identity) -> bool:
        return rank(seed, "second", *identity) < second * 2**64

    async def run(files: Files, chosen: list[Candidate]) -> None:
        async with contextlib.aclosing(asked):
            await _Run(asked, files, report, opinions, progress).all(chosen, concurrency)

    if sample is not None and active and scorer is None:
        from classifiers.scorer import Scorer

        scorer = Scorer.load()
    with locked(out):
        files = Files(out, annotators, twice)
        # Read twice, as candidates may be far more than are chosen.
        skipped: list[str] = []
        lines = choose(read(texts, skipped.append), sample, seed, scorer if active else None)
        report.skipped, report.first_skipped = len(skipped), next(iter(skipped), None)
        asyncio.run(run(files, [text for text in read(texts) if text.number in lines]))
        report.prompt_tokens, report.completion_tokens = asked.prompt_tokens, asked.completion_tokens
        if price_in is not None and price_out is not None and asked.prompt_tokens:
            report.cost = (asked.prompt_tokens * price_in + asked.completion_tokens * price_out) / 1e6
        report.agreement = agreement(files.pairs())
    return report
