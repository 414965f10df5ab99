"""``croissant.json``: the dataset for machines, in the MLCommons Croissant format 1.1 with its responsible-AI vocabulary.

Written as JSON-LD by hand, so that publishing needs no library for it; the tests check it with ``mlcroissant``, and read rows through it.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from pipeline.publish.attribution import changes
from pipeline.publish.card import description, training_use
from pipeline.publish.facts import Publication
from pipeline.publish.terms import license_url

#: The context the specification recommends (its appendix 1).
CONTEXT: dict[str, Any] = {
    "@language": "en", "@vocab": "https://schema.org/", "arrayShape": "cr:arrayShape", "citeAs": "cr:citeAs", "column": "cr:column",
    "conformsTo": "dct:conformsTo", "containedIn": "cr:containedIn", "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"}, "dataType": {"@id": "cr:dataType", "@type": "@vocab"}, "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"}, "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"}, "extract": "cr:extract", "field": "cr:field", "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject", "fileSet": "cr:fileSet", "format": "cr:format", "includes": "cr:includes", "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset", "jsonPath": "cr:jsonPath", "key": "cr:key", "md5": "cr:md5",
    "name": {"@container": "@language"}, "parentField": "cr:parentField", "path": "cr:path", "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet", "references": "cr:references", "regex": "cr:regex", "repeated": "cr:repeated", "replace": "cr:replace",
    "samplingRate": "cr:samplingRate", "sc": "https://schema.org/", "separator": "cr:separator", "source": "cr:source",
    "subField": "cr:subField", "transform": "cr:transform",
}  # fmt: skip

#: What columns hold, for readers of the metadata.
_COLUMNS = {
    "id": "stable hash of the row", "text": "the document, cleaned and de-identified", "source": "name of the source",
    "kind": "family of the source", "language": "ISO 639 code, detected", "license": "of the row, SPDX or LicenseRef-",
    "origin": "place of the raw record in its source", "tokens": "number of tokens", "epoch": "which copy of the document, from 0",
    "cluster_size": "near-duplicates found, itself included", "quality": "0-1, from measures of form", "stance": "likeliest stance",
    "relevance": "0-5, how much it can teach about wellbeing", "support": "0-3, how much support somebody gives in it",
    "safety_disclosure": "probability that somebody discloses pain", "messages": "the conversation", "prompt": "what came before the reply",
    "completion": "the reply", "chosen": "the better reply", "rejected": "the worse reply", "label": "whether the reply is a good one",
    "conversations": "the conversation, as ShareGPT", "author_kind": "who wrote the reply", "simulated": "a model or a writer invented it",
    "why": "what speaks for the reply", "principles": "of the constitution, that the reply shows",
    "situation": "what it is about, as the source names it", "facets": "facets of wellbeing in it", "behaviours": "what the reply does",
    "risk": "somebody may be in danger",
}  # fmt: skip


def croissant(pub: Publication) -> dict[str, Any]:
    """The JSON-LD document."""
    licenses = (
        [pub.terms.url]
        if pub.terms.url
        else [url for row in pub.terms.rows if (url := row.url or license_url(row.license))]
    )
    document: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": pub.name,
        "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
        "description": description(pub),
        "license": sorted(set(licenses)) or pub.terms.license_id,
        "url": f"https://huggingface.co/datasets/{pub.repo}" if pub.repo else None,
        "version": pub.version,
        "datePublished": pub.date,
        "creator": {"@type": "sc:Organization", "name": pub.creator} if pub.creator else None,
        "inLanguage": pub.languages,
        "keywords": ["wellbeing", "mental health", *sorted({facts["family"] for facts in pub.sources.values()})],
        "citeAs": f"{pub.title}, version {pub.version}, content {pub.identity[:16]}, made with wellmix",
        "distribution": _distribution(pub),
        "recordSet": [_splits(pub), *(_records(pub, config) for config in pub.schemas)],
        **_responsible(pub),
    }
    return {name: value for name, value in document.items() if value is not None and value != []}


def _distribution(pub: Publication) -> list[dict[str, Any]]:
    """Every file with its sha256, and for each config the set of its files, which the records are read from (by pattern, relative to
    ``croissant.json``: readers do not gather the rows of single files)."""
    files: list[dict[str, Any]] = [
        {
            "@type": "cr:FileObject",
            "@id": file.path,
            "name": file.path.rsplit("/", 1)[-1],
            "contentUrl": file.path,
            "contentSize": f"{file.bytes} B",
            "encodingFormat": "application/x-parquet",
            "sha256": file.sha256,
        }
        for file in pub.data
    ]
    sets = [
        {
            "@type": "cr:FileSet",
            "@id": f"{config}-files",
            "name": f"{config}-files",
            "encodingFormat": "application/x-parquet",
            "includes": f"data/{config}/*.parquet",
        }
        for config in pub.schemas
    ]
    return files + sets


def _splits(pub: Publication) -> dict[str, Any]:
    names = list(dict.fromkeys(file.split for file in pub.data))
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [{"@type": "cr:Field", "@id": "splits/name", "name": "name", "dataType": "sc:Text"}],
        "data": [{"splits/name": name} for name in names],
    }


def _records(pub: Publication, config: str) -> dict[str, Any]:
    fields = [_field(config, field) for field in pub.schemas[config]]
    split = {
        "@type": "cr:Field",
        "@id": f"{config}/split",
        "name": "split",
        "description": "the split the row is in",
        "dataType": "sc:Text",
        "references": {"field": {"@id": "splits/name"}},
        "source": {
            "fileSet": {"@id": f"{config}-files"},
            "extract": {"fileProperty": "fullpath"},
            "transform": {"regex": "(?:.*/)?([a-z]+)(?:-[0-9]+-of-[0-9]+\\.parquet)?$"},
        },
    }
    return {
        "@type": "cr:RecordSet",
        "@id": config,
        "name": config,
        "description": f"one {pub.noun} a record; {pub.rows(config):,} records",
        "key": [{"@id": f"{config}/{name}"} for name in ("id", "epoch") if name in pub.schemas[config].names],
        "field": [split, *fields],
    }


def _field(config: str, field: pa.Field) -> dict[str, Any]:
    kind = field.type
    result: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{config}/{field.name}",
        "name": field.name,
        "description": _COLUMNS.get(field.name, field.name.replace("_", " ")),
    }
    if pa.types.is_list(kind):
        result |= {"isArray": True, "arrayShape": "-1"}
        kind = kind.value_type
    if pa.types.is_struct(kind):
        result["subField"] = [
            {
                "@type": "cr:Field",
                "@id": f"{config}/{field.name}/{child.name}",
                "name": child.name,
                "dataType": _data_type(child.type),
                "source": _source(config, field.name, child.name),
            }
            for child in kind
        ]
    else:
        result |= {"dataType": _data_type(kind), "source": _source(config, field.name)}
    return result


def _source(config: str, column: str, child: str | None = None) -> dict[str, Any]:
    source: dict[str, Any] = {"fileSet": {"@id": f"{config}-files"}, "extract": {"column": column}}
    if child is not None:
        source["transform"] = {"jsonPath": child}
    return source


def _data_type(kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    if pa.types.is_integer(kind):
        return "sc:Integer"
    if pa.types.is_floating(kind):
        return "sc:Float"
    return "sc:Text"


def _responsible(pub: Publication) -> dict[str, Any]:
    """Fields of the responsible-AI vocabulary for which there are facts."""
    sources = ", ".join(f"{facts['title']} ({name})" for name, facts in sorted(pub.sources.items()))
    redactions = ", ".join(f"{name} {number}" for name, number in pub.redactions.items())
    sensitive = [
        "Texts may tell of health, mental health, relationships, sexuality, faith and money of the people who wrote "
        "them.",
        f"Replaced by placeholders in the sources: {redactions or 'nothing was found'}. Names of private persons in "
        "the text may remain.",
    ]
    if (number := pub.tally.flags.get("disclosure")) is not None:
        sensitive.append(
            f"{number} rows hold a disclosure of own suicidal thoughts, self-harm, abuse, eating disorder or addiction."
        )
    if (number := pub.tally.flags.get("risk")) is not None:
        sensitive.append(f"In {number} rows somebody may be in danger.")
    fields: dict[str, Any] = {
        "rai:dataCollection": f"Selected from existing corpora by recipe: {sources}. provenance.json holds the recipe and the ledger.",
        "rai:dataCollectionType": [
            "Secondary Data analysis",
            *(["User-generated content data"] if _posted(pub) else []),
        ],
        "rai:dataCollectionRawData": "The sources' own files, named by each row's origin; they are not part of this dataset.",
        "rai:dataPreprocessingProtocol": [
            f"Every text: {changes(pub)}.",
            "Near-duplicates, benchmark items, unsafe texts and texts of poor form left out.",
        ],
        "rai:dataAnnotationProtocol": (
            (
                f"People reviewed examples ({sum(pub.decisions.values())} decisions). "
                if pub.decisions
                else "No person annotated these rows for this dataset. "
            )
            + "Scores are the classifiers', evidence of replies is the sources' own."
        ),
        "rai:machineAnnotationTools": [f"wellmix classifiers, version {pub.scored_by}"]
        if pub.scored_by
        else ["wellmix classifiers"],
        "rai:dataBiases": [*pub.figures.gaps, *pub.figures.limits],
        "rai:dataLimitations": [
            "Not for judging, diagnosing, profiling or finding people, nor for crisis triage.",
            "English only is scored; texts of other languages carry no scores.",
            "Licences and consent are as the sources state them.",
        ],
        "rai:dataUseCases": [f"Training of language models: {training_use(pub)}.", "Research on what such data does."],
        "rai:personalSensitiveInformation": sensitive,
        "rai:dataReleaseMaintenancePlan": (
            f"Removal of a text: {pub.contact or 'the contact of its source, in README.md'}. A removed text is not in "
            "the next version."
        ),
    }
    return fields


def _posted(pub: Publication) -> bool:
    return any(facts["consent"] == "public_post" for facts in pub.sources.values())
