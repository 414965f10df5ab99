"""The header of the dataset card: the YAML that the hub and ``datasets`` read."""

from __future__ import annotations

import re
from typing import Any

from pipeline.publish.facts import Publication
from pipeline.publish.hub import dataset_of, size_category

#: Who wrote a source -> the hub's word for how its language came about.
_CREATORS = {
    "human": "found",
    "expert": "expert-generated",
    "crowd": "crowdsourced",
    "simulated": "machine-generated",
}
_TAGS = {
    "messages": "sft",
    "prompt_completion": "sft",
    "preference": "preference",
    "unpaired": "kto",
    "sharegpt": "sharegpt",
}


def header(pub: Publication) -> dict[str, Any]:
    """The YAML of the card."""
    rows = pub.rows(pub.default)
    result: dict[str, Any] = {"license": pub.terms.hub_id}
    if pub.terms.hub_id == "other":
        result |= {"license_name": re.sub(r"[^a-z0-9.]+", "-", pub.terms.name.lower()), "license_link": "LICENSE.md"}
    families = sorted({facts["family"] for facts in pub.sources.values()})
    formats = [_TAGS[name] for name in pub.schemas if name in _TAGS]
    origins = {_CREATORS.get(facts["origin"], "other") for facts in pub.sources.values()}
    result |= {
        "pretty_name": pub.title,
        "language": pub.languages,
        "multilinguality": "monolingual" if len(pub.languages) < 2 else "multilingual",
        "size_categories": [size_category(rows)],
        "task_categories": ["text-generation"],
        "annotations_creators": sorted({"machine-generated"} | ({"found"} if pub.tally.values.get("why") else set())),
        "language_creators": sorted(origins),
        "source_datasets": sorted({_source_dataset(name, facts) for name, facts in pub.sources.items()}),
        "tags": ["wellbeing", "mental-health", "wellmix", *families, *dict.fromkeys(formats)],
    }
    if pub.private:
        # takes effect where the repository is gated, which is the publisher's decision
        result["extra_gated_prompt"] = (
            "Some of these texts were written by people in distress. By asking for access you agree not to try to "
            "find out who they are, and not to publish what would let others do so."
        )
        result["extra_gated_fields"] = {"I will not try to identify anybody": "checkbox"}
    result["configs"] = _configs(pub)
    result["dataset_info"] = [_info(pub, config) for config in pub.schemas]
    return result


def _source_dataset(name: str, facts: dict[str, Any]) -> str:
    found = dataset_of(facts.get("homepage")) or dataset_of(facts.get("license_url"))
    return found or f"extended|other-{name}"


def _configs(pub: Publication) -> list[dict[str, Any]]:
    configs = []
    for config in pub.schemas:
        entry: dict[str, Any] = {"config_name": config}
        if len(pub.schemas) > 1 and config == pub.default:
            entry["default"] = True
        entry["data_files"] = [
            {"split": split, "path": f"data/{config}/{split}-*.parquet"} for split in pub.splits(config)
        ]
        configs.append(entry)
    return configs


def _info(pub: Publication, config: str) -> dict[str, Any]:
    from datasets import DatasetInfo, Features
    from datasets.splits import SplitDict, SplitInfo

    splits = SplitDict()
    for split in pub.splits(config):
        memory = sum(file.memory for file in pub.data if (file.config, file.split) == (config, split))
        splits.add(SplitInfo(name=split, num_bytes=memory, num_examples=pub.rows(config, split)))
    info = DatasetInfo(
        features=Features.from_arrow_schema(pub.schemas[config]),
        splits=splits,
        download_size=sum(file.bytes for file in pub.data if file.config == config),
        dataset_size=sum(file.memory for file in pub.data if file.config == config),
        config_name=config,
    )
    found = dict(info._to_yaml_dict())
    return {"config_name": found.pop("config_name"), **found}
