"""One module a raw format. :func:`get_reader` finds a reader class by the name a card uses."""

from __future__ import annotations

from importlib import import_module

from sources.errors import UserError
from sources.readers.base import Reader

#: Name in a card -> "module:class". Imported on first use, so a format's parser is only needed by who reads that format.
READERS: dict[str, str] = {
    "archive": "sources.readers.archive:ArchiveReader",
    "cnxml": "sources.readers.cnxml:CnxmlReader",
    "comparisons": "sources.readers.comparisons:ComparisonsReader",
    "csv": "sources.readers.csv:CsvReader",
    "dialogue_text": "sources.readers.dialogue_text:DialogueTextReader",
    "epub": "sources.readers.epub:EpubReader",
    "esconv_tsv": "sources.readers.esconv_tsv:EsconvTsvReader",
    "gutenberg": "sources.readers.gutenberg:GutenbergReader",
    "html": "sources.readers.html:HtmlReader",
    "huggingface": "sources.readers.huggingface:HuggingFaceReader",
    "jats": "sources.readers.jats:JatsReader",
    "json": "sources.readers.json:JsonReader",
    "jsonl": "sources.readers.jsonl:JsonlReader",
    "lines": "sources.readers.lines:LinesReader",
    "markdown": "sources.readers.markdown:MarkdownReader",
    "mediawiki": "sources.readers.mediawiki:MediaWikiReader",
    "parquet": "sources.readers.parquet:ParquetReader",
    "reddit": "sources.readers.reddit:RedditReader",
    "stackexchange": "sources.readers.stackexchange:StackExchangeReader",
    "standardebooks": "sources.readers.standardebooks:StandardEbooksReader",
    "subtitles": "sources.readers.subtitles:SubtitleReader",
    "text": "sources.readers.text:TextReader",
    "warc": "sources.readers.warc:WarcReader",
    "xlsx": "sources.readers.xlsx:XlsxReader",
}


def get_reader(name: str) -> type[Reader]:
    """The reader class a card names.

    :raises UserError: no such reader.
    """
    if name not in READERS:
        raise UserError(
            f"no reader is called {name!r}", where="reader.name", fix=f"use one of: {', '.join(sorted(READERS))}"
        )
    module, _, cls = READERS[name].partition(":")
    return getattr(import_module(module), cls)
