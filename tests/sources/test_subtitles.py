import pytest

from sources.document import Bad


def vtt(*cues: tuple[str, str], head: str = "WEBVTT") -> str:
    return f"{head}\n\n" + "\n\n".join(f"{times}\n{text}" for times, text in cues) + "\n"


def test_cues_become_text_with_pauses_and_changes_of_speaker(load):
    text = vtt(
        ("00:00:01.000 --> 00:00:02.000", "I had <i>thought</i>"),
        ("00:00:02.000 --> 00:00:04.000", "it was over. [sighs]\n- It was not."),
        ("00:00:20.000 --> 00:00:22.000", "♪ la la ♪\n&amp; so on"),
        ("00:00:22.000 --> 00:00:23.000", "Subtitles by www.example.org"),
        head="WEBVTT\nKind: captions\nLanguage: en\n\nNOTE made up",
    )
    (record,) = load("subtitles", {"t/talk.vtt": text})
    assert record.text == "I had thought it was over.\nIt was not.\n\n& so on"
    assert record.turns is None
    assert record.extra == {"format": "vtt", "seconds": 23, "language": "en"}
    (noisy,) = load("subtitles", {"t/talk.vtt": text}, sounds=True)
    assert "[sighs]" in noisy.text


@pytest.mark.parametrize(
    "lines",
    [
        ["<v Ann Lee>How was it?</v>", "<v Bo>Long.\nVery long.", "<v Ann Lee>Sit down."],
        ["ANN LEE: How was it?", "BO: Long.\nVery long.", "ANN LEE: Sit down."],
        [">> ANN LEE: How was it?", ">> BO: Long.\nVery long.", ">> ANN LEE: Sit down."],
    ],
)
def test_speakers_become_turns(load, lines):
    cues = [(f"00:00:0{i}.000 --> 00:00:0{i + 1}.000", line) for i, line in enumerate(lines)]
    (record,) = load("subtitles", {"t.vtt": vtt(*cues)})
    assert [(t.role, t.text) for t in record.turns] == [
        ("speaker_1", "How was it?"),
        ("speaker_2", "Long. Very long."),
        ("speaker_1", "Sit down."),
    ]
    assert {t.author for t in record.turns} == {"Ann Lee", "Bo"}
    assert record.text == ""


def test_rolling_captions_are_read_once(load):
    cues = [
        ("00:00:01.000 --> 00:00:02.000", "one thing"),
        ("00:00:02.000 --> 00:00:03.000", "one thing\nafter <c.colorE5E5E5><00:00:02.500>another</c>"),
        ("00:00:03.000 --> 00:00:04.000", "after another\nand so on"),
        ("00:00:09.000 --> 00:00:10.000", "and so on"),
    ]
    (record,) = load("subtitles", {"t.vtt": vtt(*cues)})
    assert record.text == "one thing after another and so on\n\nand so on"


def test_srt_and_sbv(load):
    srt = "1\r\n00:00:01,000 --> 00:00:02,000\r\n{\\an8}Good\r\n\r\n2\r\n00:00:02,000 --> 00:00:03,000\r\nmorning.\r\n"
    sbv = "0:00:01.000,0:00:02.000\nGood\n\n0:00:02.000,0:00:03.000\nmorning.\n"
    found = load("subtitles", {"a.srt": srt, "b.sbv": sbv})
    assert [r.text for r in found] == ["Good morning.", "Good morning."]


def test_odd_encodings(load):
    line = "今天我们去公园散步，孩子们非常高兴，大家一起唱歌跳舞"
    srt = f"1\n00:00:01,000 --> 00:00:02,000\n{line}\n\n2\n00:00:02,000 --> 00:00:03,000\n{line}\n"
    (record,) = load("subtitles", {"a.srt": srt.encode("gb2312")})
    assert line in record.text


@pytest.mark.parametrize(
    "name,data,reason",
    [
        ("a.vtt", "", "empty"),
        ("a.vtt", "00:01.000 --> 00:02.000\nno header\n", "malformed"),
        ("a.srt", "just some words", "malformed"),
        ("a.vtt", "WEBVTT\n", "no_text"),
        ("a.vtt", vtt(("00:00:01.000 --> 00:00:02.000", "[music]")), "no_text"),
        ("a.srt", b"\x00\xff\x02" * 40, "unknown_encoding"),
    ],
)
def test_bad_files(load, name, data, reason):
    (bad,) = load("subtitles", {name: data})
    assert isinstance(bad, Bad)
    assert bad.reason == reason
