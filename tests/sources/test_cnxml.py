import pytest

from sources.document import Bad

FILLER = "Sleep is when the mind files what the day has left on its desk. " * 5
HEAD = '<document xmlns="http://cnx.rice.edu/cnxml" xmlns:m="http://www.w3.org/1998/Math/MathML"><title>{title}</title>'
META = '<metadata xmlns:md="http://cnx.rice.edu/mdml"><md:content-id>{id}</md:content-id><md:title>{title}</md:title></metadata>'


def module(module_id: str, content: str, title: str = "On Sleep", tail: str = "") -> str:
    return (HEAD + META).format(id=module_id, title=title) + f"<content>{content}</content>{tail}</document>"


def collection(*modules: str, book: str = "A Book of Rest") -> str:
    inner = "".join(f'<col:module document="{m}"/>' for m in modules)
    return (
        '<col:collection xmlns:col="http://cnx.rice.edu/collxml" xmlns:md="http://cnx.rice.edu/mdml"><col:metadata>'
        f"<md:title>{book}</md:title></col:metadata><col:content><col:subcollection><md:title>Nights</md:title>"
        f"<col:content>{inner}</col:content></col:subcollection></col:content></col:collection>"
    )


def test_text_of_a_module(load):
    content = f"""
      <para id="p1">{FILLER}See <link target-id="fig1"/> (<link document="m9"/>) and <term>REM sleep</term>
        <footnote>not here</footnote>, it says.</para>
      <figure id="fig1"><media alt="long words for a picture"><image src="x.png"/></media>
        <caption>A sleeping cat. (credit: Someone/Somewhere (2001))</caption></figure>
      <section><title>Phases</title>
        <list list-type="enumerated" number-style="lower-alpha"><item>light</item><item>deep</item></list>
        <table id="t1"><tgroup cols="2"><tbody><row><entry>Phase</entry><entry>Minutes</entry></row>
          <row><entry>light</entry><entry>20</entry></row></tbody></tgroup></table>
        <equation><m:math><m:mi>t</m:mi><m:mo>=</m:mo><m:mn>8</m:mn></m:math></equation></section>
      <section class="references"><title>References</title><para>Nobody, N. (1999). Nothing.</para></section>
      <section class="review-questions"><title>Review</title>
        <exercise><problem><para>What is filed?</para><list><item>the day</item><item>the desk</item></list></problem>
          <solution><para>The day.</para></solution></exercise></section>"""
    glossary = "<glossary><definition><term>REM sleep</term><meaning>when eyes move</meaning></definition></glossary>"
    (record,) = load("cnxml", {"b/modules/m1/index.cnxml": module("m1", content, tail=glossary)})
    assert record.text.split("\n\n") == [
        "On Sleep",
        f"{FILLER}See Figure 1 and REM sleep, it says.",
        "Figure 1: A sleeping cat.",
        "Phases",
        "a. light\nb. deep",
        "Phase | Minutes\nlight | 20",
        "t=8",
        "Review",
        "Question: What is filed?\n- the day\n- the desk",
        "Answer: The day.",
        "Key terms",
        "REM sleep: when eyes move",
    ]
    (plain,) = load("cnxml", {"m.cnxml": module("m1", content, tail=glossary)}, exercises=False, glossary=False)
    assert "Question" not in plain.text
    assert "Key terms" not in plain.text


def test_collections_say_book_and_chapter_in_every_split(load):
    files = {
        "b/collections/one.collection.xml": collection("m2", "m1"),
        "b/collections/two.collection.xml": collection("m1", book="Another Book"),
        "b/modules/m1/index.cnxml": module("m1", f"<para>{FILLER}</para>"),
        "b/modules/m2/index.cnxml": module("m2", f"<para>{FILLER}</para>"),
        "b/modules/m3/index.cnxml": module("m3", "<para>A stub.</para>"),
    }
    first, second = load("cnxml", files, target_bytes=1)
    assert first.extra["book"] == "A Book of Rest"
    assert first.extra["chapter"] == "Nights"
    assert first.extra["position"] == 2
    assert first.extra["also_in"] == [{"book": "Another Book", "chapter": "Nights", "position": 1}]
    assert second.extra["position"] == 1


@pytest.mark.parametrize(
    "data,reason",
    [("", "empty"), ("<document><content>", "invalid_xml"), ("<html/>", "not_cnxml"), (b"\x00\x01", "invalid_xml")],
)
def test_bad_modules(load, data, reason):
    (bad,) = load("cnxml", {"m.cnxml": data})
    assert isinstance(bad, Bad)
    assert bad.reason == reason


def test_an_entity_bomb_is_not_expanded(load):
    levels = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 10))
    bomb = f'<!DOCTYPE d [<!ENTITY e0 "boom">{levels}]>' + module("m1", f"<para>{FILLER} &e9;</para>")
    found = load("cnxml", {"m.cnxml": bomb})
    assert all("boom" not in getattr(x, "text", "") for x in found)
