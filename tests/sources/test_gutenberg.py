import pytest

from sources.document import Bad, Record
from sources.readers.base import FileRef
from sources.readers.gutenberg import GutenbergReader, strip_boilerplate

SENTENCE = "The river was low that summer and we walked along its bed for hours, talking of nothing.\n"


def chapter(words: str, lines: int = 30) -> str:
    """A chapter's prose, wrapped at the margin, in two paragraphs."""
    paragraph = f"{words} began slowly, as such things do in a village where nobody is\n" + SENTENCE * lines
    return f"{paragraph}\n{paragraph}"


def book(body: str, title: str = "A MADE UP LIFE") -> str:
    return (
        "The Project Gutenberg EBook of A Made Up Life, by Nobody At All\n\n"
        "This eBook is for the use of anyone anywhere at no cost\n\n"
        "Title: A Made Up Life\n\nAuthor: Nobody At All\n\nRelease Date: May 1, 2001 [EBook #77]\n\nLanguage: English\n\n"
        f"*** START OF THIS PROJECT GUTENBERG EBOOK {title} ***\n\n\n\nProduced by A. Volunteer and B. Volunteer\n\n\n\n"
        f"{body}\n\n\nEnd of the Project Gutenberg EBook of A Made Up Life\n\n"
        f"*** END OF THIS PROJECT GUTENBERG EBOOK {title} ***\n\n"
        "***** This file should be named 77.txt *****\n\n*** START: FULL LICENSE ***\n\nTHE FULL PROJECT GUTENBERG LICENSE\n"
    )


def chapters(style: list[str]) -> str:
    return "\n\n\n".join(f"{heading}\n\n{chapter('Day ' + str(i))}" for i, heading in enumerate(style))


def test_header_footer_and_credits_go_and_lines_are_joined(load):
    found = load("gutenberg", {"life/77.txt": book(chapters(["CHAPTER I", "CHAPTER II", "CHAPTER III"]))})
    assert [r.key for r in found] == ["life/77#1", "life/77#2", "life/77#3"]
    assert [r.extra["chapter"] for r in found] == ["CHAPTER I", "CHAPTER II", "CHAPTER III"]
    for record in found:
        assert "Gutenberg" not in record.text
        assert "Volunteer" not in record.text
        assert record.text.count("\n\n") == 2
        assert "nobody is The river" in record.text
    assert found[0].extra["author"] == "Nobody At All"
    assert found[0].extra["release_date"] == "May 1, 2001"
    assert found[0].author is None


@pytest.mark.parametrize(
    "style",
    [
        ["I", "II", "III"],
        ["I. Of Beginnings", "II. Of Work", "III. Of Rest."],
        ["Chapter 1. At Home", "Chapter 2. Away", "Chapter 3. Back"],
        ["CHAPTER THE FIRST", "CHAPTER THE SECOND", "CHAPTER THE THIRD"],
        ["PREFACE", "CHAPTER I", "CHAPTER II", "CHAPTER III", "APPENDIX"],
        ["LETTER I.", "LETTER II.", "LETTER III."],
    ],
)
def test_kinds_of_headings(load, style):
    found = load("gutenberg", {"77.txt": book(chapters(style))})
    assert [r.extra["chapter"] for r in found] == style


def test_contents_illustrations_and_notes_are_left_out(load):
    contents = "CONTENTS\n\nCHAPTER I\n\nWhere it begins\n\nCHAPTER II\n\nWhere it goes on\n\nCHAPTER III\n\nWhere it ends\n\n\n"
    body = chapters(["CHAPTER I", "CHAPTER II", "CHAPTER III"])
    body = body.replace(
        "Day 1", "[Illustration: a bridge]\n\n[Footnote 3: said by the editor\n\nover two paragraphs]\n\nDay 1", 1
    )
    body = body.replace("Day 2", "_Day_ two[12]", 1) + "\n\n\nFOOTNOTES\n\n[1] " + SENTENCE * 30
    found = load("gutenberg", {"77.txt": book(contents + body)})
    assert [r.extra["chapter"] for r in found] == ["CHAPTER I", "CHAPTER II", "CHAPTER III"]
    assert not any(word in record.text for record in found for word in ("bridge", "editor", "Where it", "[12]", "_"))
    assert "Day two began" in found[2].text


def test_a_book_without_headings_is_whole_and_verse_keeps_its_lines(load):
    verse = "    O little boat of mine\n    Across the bay you go\n    And never tell a soul\n"
    (found,) = load("gutenberg", {"77.txt": book(chapter("Spring") + "\n" + verse + "\n" + chapter("Autumn"))})
    assert "O little boat of mine\nAcross the bay you go\nAnd never" in found.text


def test_one_edition_of_a_book_is_read(load):
    text = chapters(["I", "II", "III"])
    files = {
        "life/77.txt": book(text.replace("Day", "Ascii")),
        "life/77-8.txt": book(text.replace("Day", "Café")).encode("latin-1"),
        "life/78.txt": book(text),
    }
    found = load("gutenberg", files, target_bytes=1)
    assert {r.key.partition("#")[0] for r in found} == {"life/77", "life/78"}
    assert all("Café" in r.text for r in found if r.key.startswith("life/77"))
    utf8 = {**files, "life/77-0.txt": b"\xef\xbb\xbf" + book(text.replace("Day", "Naïf")).encode()}
    found = load("gutenberg", utf8)
    assert all("Naïf" in r.text for r in found if r.key.startswith("life/77"))


def test_html_is_the_last_choice(load):
    page = "<html><head><title>x</title></head><body>{}</body></html>"
    marks = (
        "<p>*** START OF THIS PROJECT GUTENBERG EBOOK X ***</p>{}<p>*** END OF THIS PROJECT GUTENBERG EBOOK X ***</p>"
    )
    html = page.format(marks.format("<p>Only <i>here</i>, in a paragraph of its own.</p>"))
    (found,) = load("gutenberg", {"77/77-h/77-h.htm": html})
    assert found.text == "Only here, in a paragraph of its own."
    found = load("gutenberg", {"77/77-h/77-h.htm": html, "77/77.txt": book(chapters(["I", "II", "III"]))})
    assert len(found) == 3


@pytest.mark.parametrize(
    "start,end",
    [
        ("***START OF THE PROJECT GUTENBERG EBOOK X***", "***END OF THE PROJECT GUTENBERG EBOOK X***"),
        ("*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*", "End of The Project Gutenberg Etext of X"),
        (
            "*** START OF THE PROJECT GUTENBERG EBOOK A TITLE THAT RUNS\nOVER THE LINE ***",
            "End of Project Gutenberg's X, by Y",
        ),
    ],
)
def test_variants_of_the_markers(start, end):
    _, body = strip_boilerplate(f"Project Gutenberg\n{start}\r\r\ninner text\r\n{end}\nlicence")
    assert body.strip() == "inner text"


def test_an_unclosed_note_does_not_swallow_the_book(load):
    paragraphs = "\n".join(f"Paragraph number {i} says one thing and then it is over and done.\n" for i in range(60))
    (found,) = load("gutenberg", {"77.txt": book(f"[Footnote 1: never closed\n\n{paragraphs}")})
    assert "Paragraph number 59" in found.text


def test_bad_files_are_reported(load):
    found = load(
        "gutenberg",
        {
            "1.txt": b"",
            "2.txt": b"\x00\x01\x02\xff" * 100,
            "3.txt": book(""),
            "4.txt": "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
            "5.txt": book(chapters(["I", "II", "III"])),
            "5-0.txt": b"",
        },
    )
    assert {(b.origin, b.reason) for b in found if isinstance(b, Bad)} == {
        ("1.txt", "empty"),
        ("2.txt", "not_text"),
        ("3.txt", "empty"),
        ("4.txt", "lfs_pointer"),
        ("5-0.txt", "empty"),
    }
    assert sum(isinstance(r, Record) for r in found) == 3, "the next best edition is read"
    (large,) = load("gutenberg", {"6.txt": book(chapters(["I", "II", "III"]))}, max_bytes=100)
    assert large.reason == "too_large"


def test_editions_stay_in_one_split():
    refs = [FileRef(f"/x/{n}", n, 100, n) for n in ("a/1-8.txt", "a/1.txt", "a/2.txt", "b/1.txt")]
    splits = GutenbergReader(GutenbergReader.Options()).splits(refs, 150)
    assert [[f.name for f in s.files] for s in splits] == [["a/1-8.txt", "a/1.txt"], ["a/2.txt"], ["b/1.txt"]]
