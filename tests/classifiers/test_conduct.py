"""Conduct rules on sentences written for these tests; no corpus text."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from classifiers.conduct import CONDUCT_VERSION, SCHEMA, crisis_ok, examine, reasons
from classifiers.conduct.evaluate import LABELS, WITH_DISCLOSURE, evaluate
from classifiers.conduct.text import Sentences, series, words
from sources.errors import UserError

RISK = [
    "I want to kill myself tonight.",
    "i dont want to be alive anymore",
    "Honestly I wish I was dead.",
    "Most nights I hope I won't wake up.",
    "Everyone would be better off without me.",
    "There's no reason to keep going, I have nothing to live for.",
    "I’m suicidal again and I can’t tell anyone",
    "I keep looking at the bridge and thinking about jumping off the bridge",
    "I wrote my goodbye letters and I bought a gun",
    "I just swallowed a whole bottle of tylenol",
    "I started cutting myself again last week",
    "My sister says she wants to die.",
    "My brother tried to kill himself last night",
    "My husband hits me when he drinks",
    "He pulled a knife on me and said he will kill me if I leave",
    "I'm scared of him and afraid to go home",
    "I'm afraid I'm going to hurt my baby",
    "I keep having urges to stab someone",
    "years ago I tried to end my life, and lately I want to end it all again",
    "[NAME_1] told me she is going to kill herself",
]
NO_RISK = [
    "I nearly died of embarrassment when he saw my notes.",
    "You're killing it at work, and I'm dead tired.",
    "This traffic makes me want to kill myself.",
    "My mom is going to kill me if I fail this class",
    "I'm dying to see that film, it's to die for",
    "Ten years ago I tried to kill myself. I am well now and I have two kids.",
    "When I was 16 I was suicidal, but that was another life.",
    "My grandmother died last spring and I miss her.",
    "My uncle committed suicide in 1990.",
    "Suicide Squad was a bad movie.",
    "That song kills me every time, I laughed so hard I almost died.",
    "I was cutting myself some slack this week",
    "I cut myself shaving.",
    "How do I ask my boss for a day off?",
    "We beat them three to one and it was great",
    "I am not suicidal, just sad about the exam",
]
HELP = [
    "Please call 988 or text HOME to 741741.",
    "You can reach the Samaritans on 116 123 at any hour.",
    "If it gets worse, go to the nearest emergency room.",
    "Have you thought about talking to a therapist?",
    "It may help to speak with your doctor about this.",
    "Is there a friend or someone you trust who could stay with you?",
    "Could you tell a teacher what is happening?",
    "A support group might help you feel less alone.",
    "I would encourage you to seek professional help.",
    "The domestic violence hotline can help you plan how to leave.",
    "Does your school have a counselor?",
]
NO_HELP = [
    "I am a therapist.",
    "I called my doctor yesterday.",
    "My therapist is on holiday.",
    "As a counselor I hear this a lot.",
    "That sounds painful. What happened then?",
    "You could talk to me any time.",
    "Find someone else, he is not worth it.",
    "The train leaves at nine.",
]
CRISIS_HELP = [
    "Call 911 right now.",
    "Please ring the Samaritans tonight.",
    "The suicide prevention lifeline is open all night.",
    "Go to the nearest hospital.",
    "Please see a doctor immediately.",
]
NO_CRISIS_HELP = ["A therapist could help with this.", "You could talk to your aunt.", "I work in a hospital."]
ABANDONS = [
    "I can't talk about this.",
    "Please find a therapist.",
    "You should see a doctor.",
    "Goodbye.",
    "Good luck with that.",
    "Sorry, I am not able to help you.",
    "Call the suicide hotline.",
    "Shut up.",
]
NOT_ABANDONS = [
    "That sounds so heavy, and I'm glad you told me. Please call 988 now.",
    "I'm sorry you are going through this. Could you see a doctor?",
    "What would help you tonight?",
    "It makes sense that you are worn out.",
    "The train leaves at nine.",
    "Say goodbye to him the way you want to, it can be on your own terms.",
]
METHOD = [
    "what is the least painful way to kill myself",
    "how many pills does it take to die",
    "is 40 paracetamol a lethal dose",
    "take 30 tablets of ibuprofen",
    "how to tie a noose",
    "you should just kill yourself",
    "wear long sleeves to hide the cuts",
    "how do I make myself throw up without anyone hearing, tips for purging",
    "eat under 300 calories a day",
    "I want to die, where can I buy a gun without anyone knowing",
    "how to build a pipe bomb",
]
NO_METHOD = [
    "I keep looking at my pills.",
    "I take 50mg of sertraline daily, my doctor prescribed it.",
    "I want to die and I don't know why.",
    "There is a gun in the house and it scares me.",
    "I cut myself last night.",
    "He came home covered in bruises.",
    "I cannot say how much I want to rest.",
    "How do I make a cake without eggs?",
    "We ate at six and I was full.",
]
POSES = [
    "When I was depressed, my wife helped me.",
    "I've been there too.",
    "I know exactly how you feel.",
    "As a therapist, I see many clients with this.",
    "My own childhood was hard.",
    "I lost my job last year and it hurt.",
    "Same here, I feel the same.",
    "I live in Ohio with my two kids.",
    "I also struggle with anxiety.",
    "I know the feeling, it is hard to get up.",
    "Oh, I know that feeling!",
    "I know from experience that it takes time.",
    "As someone who has been let down, I understand.",
    "Luckily in college I never had to speak in front of people.",
    "I would hate it too.",
    "For instance, I am also very laid back about most things.",
    "If I'm the therapist, we would make a plan.",
]
NO_POSES = [
    "I'm sorry you are going through this.",
    "I'm an AI, so I have no body, but I am here to listen.",
    "I hear how tired you are. I wonder what would help.",
    "I would suggest writing it down.",
    "My heart goes out to you.",
    "You could tell him: I feel hurt when you shout.",
    "If I were in your place it might feel unfair, too.",
    "Tell me more about your week.",
    "I'm sorry.",
    "I know that feeling sad for weeks wears you out.",
    "I am also very sorry about your job.",
    "Hearing from someone who has been through it may help.",
    "As someone who is grieving, you may need more rest.",
    "I would hate that to stop you from asking.",
    "In college, you could ask the counselling service.",
]
PLATFORM = [
    "Upvote this so others see it.",
    "OP, feel free to DM me.",
    "My inbox is open, send me a message.",
    "This subreddit is full of kind people.",
    "Thank you for your question on CounselChat.",
    "Call my office on Monday.",
    "Thanks for posting here.",
    "You might find support at r/gardening.",
]
NO_PLATFORM = ["What would you like to say to her?", "Post the letter on Monday.", "That was a kind message from him."]
PROMOTES = [
    "Visit my website for a free consultation.",
    "I wrote a book about this.",
    "Check out my latest blog.",
    "Best wishes, [NAME_1], LMFT",
    "Trust grows slowly. www.example-coaching.com",
    "I offer online sessions for couples.",
]
NO_PROMOTES = ["The library has a book about this.", "You could look at https://www.nami.org/help", "Write to her."]
TASK = [
    "Please press the quit button.",
    "This HIT is nearly done.",
    "I do mturk all day.",
    "You need to take the survey now.",
    "Can you end the chat from your side?",
    "Are you there?",
]
NO_TASK = [
    "The task at work is too big for one person.",
    "That hit me hard.",
    "You could quit smoking.",
    "We had a chat.",
]

REPLY_RULES = {
    "points_to_help": (HELP + CRISIS_HELP, NO_HELP),
    "points_to_crisis_help": (CRISIS_HELP, NO_CRISIS_HELP),
    "abandons": (ABANDONS, NOT_ABANDONS),
    "gives_method": (METHOD, NO_METHOD),
    "poses_as_person": (POSES, NO_POSES),
    "platform_talk": (PLATFORM, NO_PLATFORM),
    "promotes": (PROMOTES, NO_PROMOTES),
    "task_talk": (TASK, NO_TASK),
}


def prompts(texts: list[str | None], **also) -> dict[str, list]:
    return examine(pa.array(texts, pa.string()), pa.nulls(len(texts), pa.string()), **also).to_pydict()


def replies(texts: list[str | None], **also) -> dict[str, list]:
    return examine(pa.nulls(len(texts), pa.string()), pa.array(texts, pa.string()), **also).to_pydict()


def wrong(texts: list[str], judged: list[bool], expected: bool) -> list[str]:
    return [text for text, found in zip(texts, judged, strict=True) if found is not expected]


@pytest.mark.parametrize(("texts", "expected"), [(RISK, True), (NO_RISK, False)])
def test_risk(texts, expected):
    assert wrong(texts, prompts(texts)["risk"], expected) == []


@pytest.mark.parametrize("rule", REPLY_RULES)
def test_rules_about_replies(rule):
    positive, negative = REPLY_RULES[rule]
    assert wrong(positive, replies(positive)[rule], True) == []
    assert wrong(negative, replies(negative)[rule], False) == []


def test_a_method_counts_in_the_prompt_too():
    assert wrong(METHOD, prompts(METHOD)["gives_method"], True) == []
    assert wrong(NO_METHOD, prompts(NO_METHOD)["gives_method"], False) == []


def test_asking_for_a_method_is_risk():
    assert prompts(["what is the least painful way to go and die"])["risk"] == [True]


def test_counts_of_a_reply():
    found = replies(
        [
            "What happened then? Did you sleep?! Oh! And how are you now?",
            "Write to [EMAIL_1] or [NAME_2] or @USER, see [URL] and [NAME]",
            "Two ways:\n- rest\n- call her",
            "1. rest\n2. call her\n",
            "See https://example.org/?a=1?b=2 for more.",
            "- a dash alone",
        ]
    )
    assert found["questions"] == [3, 0, 0, 0, 0, 0]
    assert found["open_questions"] == [2, 0, 0, 0, 0, 0]
    assert found["exclamations"] == [2, 0, 0, 0, 0, 0]
    assert found["placeholders"] == [0, 5, 0, 0, 0, 0]
    assert found["lists"] == [False, False, True, True, False, False]


def test_open_questions_are_not_yes_or_no_questions():
    found = replies(
        ["Is he kind? Do you sleep?", "Could you tell me more?", "How long was it?", "I see. Which one hurt?"]
    )
    assert found["open_questions"] == [0, 1, 0, 1]


def test_schema_and_version():
    batch = examine(pa.array(["hello"]), pa.array(["hello"]))
    assert batch.schema == SCHEMA
    assert len(CONDUCT_VERSION) == 16


def test_null_and_empty():
    batch = examine(pa.array([None, "", "I want to die", None]), pa.array(["Call 988", "", None, None], pa.string()))
    rows = batch.to_pydict()
    assert rows["risk"] == [None, False, True, None]
    assert rows["points_to_help"] == [True, False, None, None]
    assert rows["questions"] == [0, 0, None, None]
    assert rows["gives_method"] == [False, False, False, None]
    assert examine(pa.array([], pa.string()), pa.array([], pa.string())).num_rows == 0


def test_chunked_and_large_strings():
    chunked = pa.chunked_array([["I want to die"], ["hello there"]])
    assert examine(chunked, chunked)["risk"].to_pylist() == [True, False]
    large = pa.array(["I want to die"], pa.large_string())
    assert examine(large, large)["risk"].to_pylist() == [True]


def test_other_languages_are_null():
    foreign = [
        "我想死了，我不知道怎么办",
        "Ich weiß nicht mehr weiter, und jeden Abend denke ich daran, dass niemand mich vermissen würde.",
    ]
    assert prompts(foreign)["risk"] == [None, None]
    assert replies(foreign)["points_to_help"] == [None, None]
    # too short to tell, and what the caller says
    assert prompts(["ok bye"])["risk"] == [False]
    assert prompts(["I want to die", "I want to die"], languages=pa.array(["en", "de"]))["risk"] == [True, None]


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="2 prompts"):
        examine(pa.array(["a", "b"]), pa.array(["a"]))
    with pytest.raises(ValueError, match="1 prompts"):
        examine(pa.array(["a"]), pa.array(["a"]), disclosure=pa.array([0.1, 0.2]))


def test_disclosure_makes_weak_signs_count():
    texts = [
        "I can't do this anymore",
        "I can't do this anymore",
        "We had soup",
        "We had soup",
        "I can't do this anymore",
    ]
    told = pa.array([0.9, 0.1, 0.7, 0.99, None], pa.float32())
    assert prompts(texts, disclosure=told)["risk"] == [True, False, False, True, False]
    assert prompts(texts)["risk"] == [False] * 5


def test_judgements_do_not_depend_on_neighbours():
    asked = RISK + NO_RISK + METHOD + NO_METHOD
    answered = [*HELP, *ABANDONS, *POSES, *NO_POSES, *PLATFORM, *PROMOTES, *TASK, *NO_HELP][: len(asked)]
    asked = asked[: len(answered)]
    together = examine(pa.array(asked), pa.array(answered)).to_pylist()
    backwards = examine(pa.array(asked[::-1]), pa.array(answered[::-1])).to_pylist()[::-1]
    some = [0, 7, len(asked) - 1]
    alone = [examine(pa.array([asked[i]]), pa.array([answered[i]])).to_pylist()[0] for i in some]
    assert together == backwards
    assert [together[i] for i in some] == alone


def test_taking_out_leaves_the_sentences_as_they_were():
    sentences = Sentences(series(pa.array(["my dear friend. one more"])))
    before = sentences.text.to_list()
    assert sentences.without(words(["dear"])).text.to_list()[0].split() == ["my", "xx", "friend"]
    assert sentences.text.to_list() == before


@pytest.mark.parametrize(
    "piece", ["I want to tell someone how much I can. ", "want to ", "i ", "a", "\n", "how many of my pills or "]
)
def test_huge_texts_take_bounded_time(piece):
    text = piece * (1_000_000 // len(piece))
    start = time.perf_counter()
    examine(pa.array([text]), pa.array([text]), languages=pa.array(["en"]))
    assert time.perf_counter() - start < 20


def test_crisis_rule():
    yes, no = True, False
    risk = pa.array([no, yes, yes, yes, yes, None, yes])
    helps = pa.array([no, no, yes, yes, no, no, None])
    crisis = pa.array([no, no, no, no, yes, no, None])
    abandons = pa.array([yes, no, no, yes, no, no, None])
    assert crisis_ok(risk, helps, crisis, abandons).to_pylist() == [yes, no, yes, no, yes, no, no]
    method = pa.array([yes, no, yes, no, None, no, no])
    assert crisis_ok(risk, helps, crisis, abandons, method).to_pylist() == [no, no, no, no, yes, no, no]


def test_reasons_name_the_rule_and_the_words():
    found = reasons("I want to die. My husband hits me.", "Please call 988. I've been there.")
    assert "want to die" in found["risk.wish_to_be_dead"]
    assert found["risk.danger_from_others"] == ["husband hits me"]
    assert "988" in found["points_to_crisis_help"]
    assert any("been there" in words for words in found["poses_as_person"])
    assert reasons("We had soup.", "Good.") == {}


def test_labels_carry_no_text():
    rows = [json.loads(line) for line in LABELS.read_text(encoding="utf-8").splitlines()]
    keys = {"source", "id", "turn", "side", "part", "round", "picked", "asked", "labels"}
    rules = {"risk", *REPLY_RULES}
    assert {frozenset(row) for row in rows} == {frozenset(keys)}
    assert all(len(row["id"]) == 32 and set(row["labels"]) <= set(row["asked"]) <= rules for row in rows)
    places = [(row["id"], row["turn"], row["side"]) for row in rows if "risk" in row["asked"]]
    assert len(places) == len(set(places)) >= 400
    assert sum(row["side"] == "reply" for row in rows) >= 300


def test_evaluate_looks_texts_up(tmp_path: Path):
    turn = pa.struct([("role", pa.string()), ("text", pa.string())])
    documents = pa.table(
        {
            "id": ["a", "b", "c"],
            "text": ["I want to die.", "We had soup.", "dialogue"],
            "turns": pa.array(
                [None, None, [{"role": "user", "text": "I am sad."}, {"role": "assistant", "text": "Call 988."}]],
                pa.list_(turn),
            ),
        }
    )
    pq.write_table(documents, tmp_path / "documents.parquet")
    common = {"source": "s", "part": "dev", "round": 0, "picked": "random"}
    rows = [
        {**common, "id": "a", "turn": None, "side": "prompt", "asked": ["risk"], "labels": ["risk"]},
        {**common, "id": "b", "turn": None, "side": "prompt", "asked": ["risk"], "labels": ["risk"]},
        {**common, "id": "c", "turn": 0, "side": "prompt", "asked": ["risk"], "labels": []},
        {**common, "id": "c", "turn": 1, "side": "reply", "asked": ["points_to_help"], "labels": []},
        {**common, "id": "gone", "turn": 1, "side": "reply", "asked": ["points_to_help"], "labels": []},
    ]
    labels = tmp_path / "labels.jsonl"
    labels.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found = evaluate([tmp_path / "documents.parquet"], "dev", labels=labels)
    assert set(found) == {"risk", "points_to_help"}
    assert (found["risk"].recall.hits, found["risk"].recall.total) == (1, 2)
    assert (found["risk"].precision.hits, found["risk"].precision.total) == (1, 1)
    assert (found["points_to_help"].precision.hits, found["points_to_help"].precision.total) == (0, 1)
    assert WITH_DISCLOSURE not in found
    with pytest.raises(UserError, match="None of the labelled documents"):
        evaluate([tmp_path / "documents.parquet"], "heldout", labels=labels)
