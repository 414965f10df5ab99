"""What the Hugging Face hub takes: its lists, and the rules a card's header must keep, checked here because a page that breaks them shows
an error instead of the data.

The hub's own check is a request (``/api/validate-yaml``); :func:`validate_card` sends it only where an endpoint is given.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pipeline.publish.terms import HUB_LICENSES
from sources.errors import UserError

#: Upper bound (exclusive) -> category.
_SIZES = {
    10**3: "n<1K", 10**4: "1K<n<10K", 10**5: "10K<n<100K", 10**6: "100K<n<1M", 10**7: "1M<n<10M", 10**8: "10M<n<100M", 10**9: "100M<n<1B",
    10**10: "1B<n<10B", 10**11: "10B<n<100B", 10**12: "100B<n<1T",
}  # fmt: skip
SIZE_CATEGORIES = frozenset(_SIZES.values()) | {"n>1T"}

#: Tasks of the hub that texts can serve (huggingface.js, packages/tasks/src/pipelines.ts).
TASKS = frozenset(
    {
        "text-classification", "token-classification", "table-question-answering", "question-answering", "zero-shot-classification",
        "translation", "summarization", "feature-extraction", "text-generation", "text2text-generation", "fill-mask",
        "sentence-similarity", "multiple-choice", "text-ranking", "text-retrieval", "reinforcement-learning", "other",
    }
)  # fmt: skip
ANNOTATIONS = frozenset({"found", "crowdsourced", "expert-generated", "machine-generated", "no-annotation", "other"})
LANGUAGE_CREATORS = ANNOTATIONS - {"no-annotation"}
MULTILINGUALITY = frozenset({"monolingual", "multilingual", "translation", "other"})

#: Licences of the hub's list that are not of texts we can take, but that a person may have a reason to name.
_OTHER_LICENSES = frozenset(
    {"other", "unknown", "cc", "cdla-permissive-1.0", "cdla-permissive-2.0", "cdla-sharing-1.0", "etalab-2.0"}
)
_KEYS_OF_LISTS = {
    "size_categories": SIZE_CATEGORIES, "task_categories": TASKS, "annotations_creators": ANNOTATIONS,
    "language_creators": LANGUAGE_CREATORS, "multilinguality": MULTILINGUALITY,
}  # fmt: skip


def size_category(rows: int) -> str:
    """The hub's name for a number of examples."""
    return next((name for bound, name in _SIZES.items() if rows < bound), "n>1T")


def dataset_of(url: str | None) -> str | None:
    """``https://huggingface.co/datasets/owner/name`` -> ``owner/name``."""
    match = re.match(r"https://(?:huggingface\.co|hf\.co)/datasets/([\w.-]+/[\w.-]+)", url or "")
    return match[1] if match else None


def validate_card(text: str, *roots: Path, endpoint: str | None = None) -> None:
    """Check a dataset card.

    :param text: of README.md.
    :param roots: folders in one of which the files it names must be; none: they are not looked for.
    :param endpoint: of a hub that is asked, too.
    :raises UserError: the header is not what the hub, or ``datasets``, takes.
    """
    from datasets.info import DatasetInfosDict
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCard

    try:
        card = DatasetCard(text)
        header = card.data.to_dict()
        configs = MetadataConfigs.from_dataset_card_data(card.data)
        infos = DatasetInfosDict.from_dataset_card_data(card.data)
    except Exception as error:  # yaml, ValueError, TypeError, KeyError: whatever the libraries stumble over
        raise UserError(
            f"the header is not one of a dataset card: {str(error).splitlines()[0] if str(error) else error!r}",
            where="README.md",
            fix="mend the YAML between the two lines of dashes",
        ) from None
    problems = [*_problems(header)]
    for name, config in configs.items():
        if infos and name not in infos:
            problems.append(f"config {name!r} has no dataset_info")
        for entry in _data_files(config):
            if roots and not any(any(root.glob(entry)) for root in roots):
                problems.append(f"configs: {name}: no file matches {entry}")
    if problems:
        raise UserError(
            f"the header of the card would not pass on the hub: {'; '.join(problems)}",
            where="README.md",
            fix="mend these keys; huggingface.co/docs/hub/datasets-cards lists what they may hold",
        )
    if endpoint:
        _ask(text, endpoint)


def _problems(header: dict[str, Any]) -> list[str]:
    found = []
    licenses = _listed(header.get("license"))
    if not licenses:
        found.append("license is missing")
    for name in licenses:
        if name not in {*HUB_LICENSES.values(), *_OTHER_LICENSES}:
            found.append(f"license: {name!r} is not on the hub's list")
    if "other" in licenses:
        if not isinstance(header.get("license_name"), str):
            found.append("license_name is missing beside `license: other`")
        link = header.get("license_link")
        if not isinstance(link, str) or not (link in ("LICENSE", "LICENSE.md") or link.startswith("https://")):
            found.append("license_link must be LICENSE, LICENSE.md or an address beside `license: other`")
    for code in _listed(header.get("language")):
        if not isinstance(code, str) or not re.fullmatch(r"[a-z]{2,3}|code|multilingual", code):
            found.append(f"language: {code!r} is no ISO 639 code")
    for key, known in _KEYS_OF_LISTS.items():
        for value in _listed(header.get(key)):
            if value not in known:
                found.append(f"{key}: {value!r} is not one of {', '.join(sorted(known))}")
    if not isinstance(header.get("pretty_name", ""), str):
        found.append("pretty_name is not a text")
    for tag in _listed(header.get("tags")):
        if not isinstance(tag, str) or not tag or len(tag) > 100:
            found.append(f"tags: {tag!r} is not a short text")
    for name in _listed(header.get("source_datasets")):
        if not isinstance(name, str) or not re.fullmatch(r"original|extended(\|[\w./-]+)?|[\w.-]+(/[\w.-]+)?", name):
            found.append(f"source_datasets: {name!r} is neither `original`, `extended|...` nor a dataset of the hub")
    return found


def _data_files(config: dict[str, Any]) -> list[str]:
    files = config.get("data_files") or []
    patterns: list[str] = []
    for entry in [files] if isinstance(files, (str, dict)) else files:
        path = entry.get("path") if isinstance(entry, dict) else entry
        patterns += [path] if isinstance(path, str) else list(path or [])
    return patterns


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _ask(text: str, endpoint: str) -> None:
    from huggingface_hub.utils import get_session

    try:
        response = get_session().post(
            f"{endpoint.rstrip('/')}/api/validate-yaml",
            json={"repoType": "dataset", "content": text},
            headers={"Accept": "text/plain"},
        )
    except Exception as error:  # whatever the transport raises: the hub could not be asked
        raise UserError(
            f"the hub could not be asked whether the card is valid: {error}", where=endpoint, fix="try again"
        ) from None
    if response.status_code == 400:
        raise UserError(
            f"the hub does not take the card: {response.text.strip()}", where="README.md", fix="mend its header"
        )
    if response.status_code >= 300:
        raise UserError(
            f"the hub could not be asked whether the card is valid: status {response.status_code}",
            where=endpoint,
            fix="try again",
        )
