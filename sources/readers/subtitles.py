"""Subtitles and captions (WebVTT, SRT, SBV): cues merged into readable text or into the speakers' turns, one record a file."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import webvtt
from pydantic import Field

from sources.document import Bad, Record, Turn
from sources.readers._io import decode, slurp
from sources.readers.base import Encoding, FileRef, Options, Reader, Split

_VOICE = re.compile(r"<v(?:\.[\w.-]+)?\s+([^>]+)>")
_TAG = re.compile(r"</?(?:[a-zA-Z][^>]*|\d[\d:.]*)>|\{\\[^}]*\}")
_SOUND = re.compile(r"[\[(（【][^\])）】]{1,80}[\])）】]|[♪♫#]+[^♪♫]*[♪♫]+|[♪♫]")
_CHANGE = re.compile(r"^\s*(?:>{2,}|[-–—](?=\s*\S))\s*")
_NAME = re.compile(r"^([A-Z][A-Z0-9 .'’-]{1,30}|[A-Z][a-z]+(?: [A-Z][a-z]+)?)(?: \([^)]*\))?:\s+(?=\S)")
_TIMING = re.compile(r"^\s*[\d:.,]+\s*-->\s*[\d:.,]+.*$")
_CUE_LANGUAGE = re.compile(r"^Language:\s*([\w-]+)", re.MULTILINE)
_ADVERT = re.compile(
    r"(?:subtitles?|captions?|sync(?:ed)?|transcri\w+) (?:by|from|provided)|opensubtitles|addic7ed|www\.|https?://",
    re.IGNORECASE,
)


class SubtitleOptions(Options):
    """Options of the subtitles reader.

    :param encoding: tried when the file is not UTF-8, before detection.
    :param sounds: keep ``[sighs]`` and song lines.
    :param gap: seconds of silence that start a new paragraph.
    :param names: read ``NAME:`` at the start of a line as the speaker.
    :param min_chars: a file with less text is quarantined as ``no_text``.
    :param max_bytes: larger files are refused as ``too_large``.
    """

    encoding: Encoding | None = None
    sounds: bool = False
    gap: float = Field(4.0, gt=0)
    names: bool = True
    min_chars: int = Field(1, ge=0)
    max_bytes: int = Field(16 << 20, gt=0)


@dataclass(slots=True)
class Line:
    """A spoken line.

    :param speaker: name, or None where the captions do not say.
    :param turn: another person starts to speak here.
    :param pause: seconds of silence before.
    """

    text: str
    speaker: str | None
    turn: bool
    pause: float


class SubtitleReader(Reader):
    """Reads ``.vtt``, ``.srt`` and ``.sbv`` files through webvtt-py (pysrt, the other parser, is GPL)."""

    name = "subtitles"
    Options = SubtitleOptions
    options: SubtitleOptions

    def read(self, split: Split) -> Iterator[Record | Bad]:
        for file in split.files:
            yield self._file(file)

    def _file(self, file: FileRef) -> Record | Bad:
        data = slurp(file, self.options.max_bytes)
        if isinstance(data, Bad):
            return data
        text = decode(data, self.options.encoding)
        if text is None:
            return Bad(file.name, "unknown_encoding")
        text = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        kind = next((k for k in ("vtt", "srt", "sbv") if f".{k}" in file.name.lower()[-8:]), "srt")
        try:
            cues = webvtt.from_buffer(io.StringIO(text), format=kind).captions
        except webvtt.errors.MalformedFileError as error:
            return Bad(file.name, "malformed", str(error))
        lines = list(self.lines(cues))
        if sum(len(line.text) for line in lines) < self.options.min_chars:
            return Bad(file.name, "no_text")
        extra: dict[str, Any] = {"format": kind, "seconds": round(max(cue.end_in_seconds for cue in cues))}
        if match := _CUE_LANGUAGE.search(text[:2000]):
            extra["language"] = match[1]
        if len({line.speaker for line in lines if line.speaker}) > 1:
            return Record(file.name, file.name, turns=turns(lines), extra=extra)
        return Record(file.name, file.name, self.prose(lines), extra=extra)

    def lines(self, cues: list[Any]) -> Iterator[Line]:
        """Spoken lines in order, without the repeats of rolling captions."""
        shown: list[str] = []
        speaker: str | None = None
        end = 0.0
        for cue in cues:
            start = _seconds(cue.start)
            pause = start - end
            end = max(end, _seconds(cue.end))
            raw = [line for line in cue.raw_text.split("\n") if not _TIMING.match(line)]
            cleaned = [(line, clean(line, self.options.sounds)) for line in raw]
            texts = [text for _, text in cleaned if text]
            # Rolling captions show the last lines again while new ones come in, without a pause.
            repeats = _overlap(shown, texts) if pause < 0.2 else 0
            fresh = 0
            for line, text in cleaned:
                if not text:
                    continue
                fresh += 1
                voice = _VOICE.search(line)
                turn = bool(_CHANGE.match(text)) or voice is not None
                text = _CHANGE.sub("", text)
                if voice:
                    speaker = voice[1].strip()
                elif self.options.names and (match := _NAME.match(text)):
                    speaker, text, turn = match[1].strip().title(), text[match.end() :], True
                elif turn:
                    speaker = None
                if fresh > repeats and text and not _ADVERT.search(text):
                    yield Line(text, speaker, turn, pause if fresh == 1 else 0.0)
            if texts:
                shown = texts

    def prose(self, lines: list[Line]) -> str:
        """Text of captions without speakers: lines run on, a change of speaker is a line, a silence a paragraph."""
        out = ""
        for line in lines:
            if out:
                out += "\n\n" if line.pause >= self.options.gap else "\n" if line.turn else " "
            out += line.text
        return out


def clean(line: str, sounds: bool = False) -> str:
    """A line without tags, positions and (unless ``sounds``) descriptions of sound."""
    line = html.unescape(_TAG.sub("", line))
    if not sounds:
        line = _SOUND.sub("", line)
    line = " ".join(line.split())
    return "" if line in ("-", "–", ">>", ">>>") else line


def turns(lines: list[Line]) -> list[Turn]:
    """Speakers' turns, roles numbered by first appearance; lines nobody is named for join the turn before, or stand alone."""
    roles: dict[str, str] = {}
    out: list[Turn] = []
    for line in lines:
        name = line.speaker or ""
        role = roles.setdefault(name, f"speaker_{len(roles) + 1}")
        if out and out[-1].role == role:
            out[-1].text += " " + line.text
        else:
            out.append(Turn(role, line.text, author=line.speaker))
    return out


def _overlap(shown: list[str], texts: list[str]) -> int:
    """How many of the first lines of this cue were the last lines of the one before."""
    for size in range(min(len(shown), len(texts)), 0, -1):
        if shown[-size:] == texts[:size]:
            return size
    return 0


def _seconds(stamp: str) -> float:
    hours, minutes, seconds = stamp.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
