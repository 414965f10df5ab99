"""Sets of the synthetic sample, end to end: formats, rules, promises, reviewers, and what goes wrong."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from classifiers.conduct import crisis_ok, examine
from pipeline.curate import SetResult, run_curate
from pipeline.explain import explain
from pipeline.review import text_sha256
from sources.errors import UserError

ROOT = Path(__file__).parents[2]
SFT, PREFERENCE = (ROOT / "recipes" / name for name in ("sample-set.yaml", "sample-preferences.yaml"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sets") / "store"


def curate(recipe: Path, out: Path, store: Path, *overrides: str, workers: int = 1) -> SetResult:
    return run_curate(
        recipe, out=out, store_root=store, workers=workers, overrides=["effort=fast", *overrides], show_progress=False
    )


@pytest.fixture(scope="module")
def sft(store: Path) -> SetResult:
    return curate(SFT, store.parent / "sft", store)


@pytest.fixture(scope="module")
def preference(store: Path) -> SetResult:
    return curate(PREFERENCE, store.parent / "preference", store)


def rows(result: SetResult, form: str) -> list[dict]:
    found = []
    for file in result.manifest["files"]:
        path = result.out / file["path"]
        if file["format"] == form and path.suffix == ".parquet":
            found += [row | {"split": file["split"]} for row in pq.read_table(path).to_pylist()]
    return found


def messages(row: dict) -> list[list[dict]]:
    """Every conversation of a row."""
    if "messages" in row:
        return [row["messages"]]
    return [row["prompt"] + row[side] for side in ("completion", "chosen", "rejected") if side in row]


def every(sft: SetResult, preference: SetResult) -> list[dict]:
    made = [row for form in ("messages", "prompt_completion") for row in rows(sft, form)]
    return made + [row for form in ("preference", "unpaired") for row in rows(preference, form)]


def test_roles_alternate_and_nothing_is_empty(sft, preference):
    checked = 0
    for row in every(sft, preference):
        for talk in messages(row):
            roles = [message["role"] for message in talk]
            body = roles[1:] if roles[0] == "system" else roles
            assert body == ["user", "assistant"] * (len(body) // 2) and body
            assert all(message["content"].strip() for message in talk)
            checked += 1
    assert checked > 200


def test_formats_hold_the_same_examples(sft):
    by_form = {form: {row["id"]: row for row in rows(sft, form)} for form in sft.manifest["formats"]}
    assert set(by_form) == {"messages", "prompt_completion", "sharegpt"}
    assert len({frozenset(found) for found in by_form.values()}) == 1
    for name, row in by_form["messages"].items():
        other = by_form["prompt_completion"][name]
        assert row["messages"] == other["prompt"] + other["completion"]
        turns = by_form["sharegpt"][name]["conversations"]
        assert [turn["value"] for turn in turns] == [message["content"] for message in row["messages"]]
        assert {turn["from"] for turn in turns} <= {"system", "human", "gpt"}


def test_no_prompt_is_in_two_splits(sft, preference):
    where = defaultdict(set)
    for row in every(sft, preference):
        if row["split"] not in ("train", "validation"):
            raise AssertionError(row["split"])
        prompt = row["messages"][:-1] if "messages" in row else row["prompt"]
        words = " ".join(m["content"].lower() for m in prompt if m["role"] == "user")
        where["preference" if "chosen" in row or "label" in row else "sft", words].add(row["split"])
    assert [key for key, splits in where.items() if len(splits) > 1] == []
    assert {"train", "validation"} == set().union(*where.values())


def test_what_is_simulated_is_marked_and_capped(sft, store):
    assert all(row["simulated"] and row["author_kind"] == "simulated" for row in rows(sft, "messages"))
    with pytest.raises(UserError, match="no example can be chosen"):
        curate(SFT, store.parent / "capped", store, "simulated=0.0")


def test_nobody_at_risk_is_left_without_help(sft, preference):
    kept = [(m[:-1], m[-1]["content"]) for row in rows(sft, "messages") for m in messages(row)]
    kept += [(row["prompt"], row["chosen"][0]["content"]) for row in rows(preference, "preference")]
    prompts = pa.array(["\n".join(m["content"] for m in prompt if m["role"] == "user") for prompt, _ in kept])
    replies = pa.array([reply for _, reply in kept])
    found = examine(prompts, replies)
    # help that an earlier reply of the same example pointed to counts
    earlier = pa.array(["\n".join(m["content"] for m in prompt if m["role"] == "assistant") for prompt, _ in kept])
    before = examine(prompts, earlier)["points_to_help"].to_pylist()
    helped = pa.array([bool(a) or bool(b) for a, b in zip(found["points_to_help"].to_pylist(), before, strict=True)])
    allowed = crisis_ok(found["risk"], helped, found["points_to_crisis_help"], found["abandons"])
    assert all(ok or not risk for ok, risk in zip(allowed.to_pylist(), found["risk"].to_pylist(), strict=True))
    assert not any(found["gives_method"].to_pylist())


def test_pairs_say_why_and_the_evidence_bears_them_out(preference):
    pairs = rows(preference, "preference")
    assert pairs
    for row in pairs:
        detail = json.loads(row["why"]["detail"])
        assert detail["margins"] >= 1
        if row["why"]["kind"] == "votes":
            assert detail["chosen"]["raw"] > detail["rejected"]["raw"]
        assert row["chosen"] != row["rejected"]
    assert {row["why"]["kind"] for row in pairs} >= {"votes", "critique"}
    names = [one["name"] for one in preference.manifest["baselines"]["all"]]
    assert {"length", "evidence shuffled", "support score"} <= set(names)
    assert {one["pairs"] for one in preference.manifest["baselines"]["all"]} == {len(pairs)}


def test_length_can_be_made_useless(preference, store):
    balanced = curate(
        PREFERENCE,
        store.parent / "balanced",
        store,
        "pairs.balance=[length, questions]",
        "pairs.tolerance=0.05",
        "formats=[preference]",
        "pairs.unpaired=0",
    )
    by_name = {one["name"]: one for one in balanced.manifest["baselines"]["all"]}
    for name in ("length", "questions"):
        assert abs(by_name[name]["accuracy"] - 0.5) <= 0.05 + 0.5 / by_name[name]["pairs"], name
    assert by_name["length"]["pairs"] < preference.manifest["formats"]["preference"]["train"] + 60


def test_single_replies_are_half_good_half_poor(preference):
    labels = [row["label"] for row in rows(preference, "unpaired")]
    assert sum(labels) == len(labels) / 2 > 0


def test_the_ledger_reconciles(sft, preference):
    for result in (sft, preference):
        for source, line in result.ledger["stages"]["select"].items():
            out = sum(n for name, n in line.items() if isinstance(n, int) and name != "candidates_in")
            assert line["candidates_in"] == out + sum(line["never"].values()) + sum(line["unfit"].values())
            assert line["candidates_in"] == result.ledger["stages"]["shape"][source]["candidates"]
    selected = sum(line.get("selected", 0) for line in sft.ledger["stages"]["select"].values())
    assert selected == sft.manifest["examples"] == len(rows(sft, "messages"))


def test_a_second_run_does_nothing_and_a_smaller_set_only_selects(sft, store):
    assert curate(SFT, sft.out, store).stages.total() == 0
    smaller = curate(SFT, store.parent / "smaller", store, "size=40")
    assert dict(smaller.stages) == {"select": 1, "write": 1}
    assert len(rows(smaller, "messages")) == 40


@pytest.mark.slow
def test_the_same_bytes_whatever_the_workers(sft, tmp_path):
    again = curate(SFT, tmp_path / "out", tmp_path / "store", workers=2)
    assert [(f["path"], f["sha256"]) for f in again.manifest["files"]] == [
        (f["path"], f["sha256"]) for f in sft.manifest["files"]
    ]


def test_a_conversation_is_one_example_and_ends_at_its_last_good_reply(sft, store):
    result = curate(SFT, store.parent / "conversations", store, "unit=conversation", "formats=[messages]")
    found = rows(result, "messages")
    stories = [explain(result.out, row["id"], store)["document"] for row in found]
    threads = [story["document"] for story in stories if story["source"] != "sample-counsel"]
    assert len(threads) == len(set(threads)) > 20  # an alternative answer is a conversation of its own
    assert max(len(row["messages"]) for row in found) >= 8
    for row in found:
        replies = pa.array([m["content"] for m in row["messages"] if m["role"] == "assistant"])
        judged = examine(pa.array([""] * len(replies)), replies, languages=pa.array(["en"] * len(replies)))
        for conduct in result.manifest["recipe"]["filters"]["conduct"]:
            assert not any(judged[conduct].to_pylist()), (row["id"], conduct)


def test_quotas_are_met_or_said(sft):
    for quota in sft.manifest["quotas"]:
        assert quota["met"] == (
            quota["at_least"] - 0.5 / sft.manifest["examples"]
            <= quota["share"]
            <= quota["at_most"] + 0.5 / sft.manifest["examples"]
        )
        assert quota["met"] or any(quota["name"] in note for note in sft.manifest["notes"])


def test_another_constitution_tags_with_its_own_principles(sft, store):
    other = curate(SFT, store.parent / "community", store, "constitution=example-community")
    ours, theirs = ({p["id"] for p in result.manifest["principles"]} for result in (sft, other))
    assert theirs and not (theirs <= ours)
    tags = {tag for row in rows(other, "messages") for tag in row["principles"]}
    assert tags and tags <= theirs
    assert other.manifest["constitution"]["name"] != sft.manifest["constitution"]["name"]


def test_a_constitution_of_ones_own_and_a_share_for_a_principle(store, tmp_path):
    recipe = yaml.safe_load(SFT.read_text()) | {"constitution": "mine.yaml", "name": "mine"}
    recipe["quotas"] = [{"principle": "short-words", "at_least": 0.5}]
    (tmp_path / "mine.yaml").write_text(
        yaml.safe_dump(
            {
                "name": "mine",
                "version": 1,
                "description": "ours",
                "by": "us",
                "license": "CC0-1.0",
                "principles": [
                    {
                        "id": "short-words",
                        "text": "Say it in few words.",
                        "axis": "plainness",
                        "sources": [{"title": "our own meeting", "by": "us"}],
                        "when": "reply_words < 25",
                        "about": "counts words",
                    }
                ],
            }
        )
    )
    (tmp_path / "set.yaml").write_text(yaml.safe_dump(recipe))
    result = curate(tmp_path / "set.yaml", tmp_path / "out", store, "size=40")
    tagged = [row for row in rows(result, "messages") if row["principles"] == ["short-words"]]
    assert len(tagged) >= 20
    assert all(len(row["messages"][-1]["content"].split()) < 30 for row in tagged)


def decide(folder: Path, name: str, *decisions: dict) -> None:
    (folder / "reviews").mkdir(exist_ok=True)
    lines = [{"reviewers": ["r"], "votes": {"r": one["decision"]}} | one for one in decisions]
    (folder / "reviews" / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_reviewers_win_over_every_score_but_not_over_a_changed_text(sft, store, tmp_path):
    (tmp_path / "sample-set.yaml").write_text(SFT.read_text())
    found = rows(sft, "messages")
    dropped, stale = found[0], found[1]
    left_out = explain_left_out(sft, store)
    decide(
        tmp_path,
        "sample-set",
        {"id": dropped["id"], "kind": "single", "decision": "drop", "text": text_sha256(dropped["messages"])},
        {"id": stale["id"], "kind": "single", "decision": "drop", "text": text_sha256(dropped["messages"])},
        {"id": left_out["id"], "kind": "single", "decision": "keep", "text": text_sha256(left_out["messages"])},
    )
    again = curate(tmp_path / "sample-set.yaml", tmp_path / "out", store)
    ids = {row["id"] for row in rows(again, "messages")}
    assert dropped["id"] not in ids
    assert left_out["id"] in ids
    assert again.manifest["reviews"]["stale"] == 1
    assert again.manifest["reviews"]["decisions"] == {"single": {"drop": 2, "keep": 1}}
    story = explain(again.out, dropped["id"], store)
    assert story["decision"]["outcome"] == "unfit" and story["decision"]["why"] == "review"


def explain_left_out(result: SetResult, store_root: Path) -> dict:
    """A first reply of a conversation that the recipe judged unfit for its length: nothing of its context is left out."""
    from pipeline.curate.recipe import load_set_recipe
    from pipeline.curate.write import messages_of, read_bodies
    from pipeline.store import Store

    store, lineage = Store(store_root), result.manifest["lineage"]
    recipe, _, _ = load_set_recipe(SFT, ["effort=fast"])
    table = pq.read_table(store.path("selection", lineage["selection"]) / "decisions.parquet")
    unfit = [row for row in table.to_pylist() if row["reason"] == "reply_short"]
    candidates = [shard["candidates"] for shard in lineage["shards"]]
    bodies = read_bodies(store, candidates, [(row["shard"], row["row"]) for row in unfit])
    for row in unfit:
        body = bodies[row["shard"], row["row"]]
        if body["turn"] == 0:
            prompt, reply = messages_of(body, body["system"] or recipe.system)
            return {"id": row["id"], "messages": prompt + reply}
    raise AssertionError("no short first reply in the sample")


def test_a_reviewed_pair_can_be_swapped_or_dropped(preference, store, tmp_path):
    (tmp_path / "sample-preferences.yaml").write_text(PREFERENCE.read_text())
    first, second = sorted(rows(preference, "preference"), key=lambda row: row["id"])[:2]
    text = {row["id"]: text_sha256(row["prompt"] + row["chosen"] + row["rejected"]) for row in (first, second)}
    turned = text_sha256(first["prompt"] + first["rejected"] + first["chosen"])
    decide(
        tmp_path,
        "sample-preferences",
        {"id": first["id"], "kind": "pair", "decision": "swap", "text": text[first["id"]], "swapped": turned},
        {"id": second["id"], "kind": "pair", "decision": "tie", "text": text[second["id"]]},
    )
    again = {
        row["id"]: row
        for row in rows(curate(tmp_path / "sample-preferences.yaml", tmp_path / "out", store), "preference")
    }
    assert second["id"] not in again
    if first["id"] in again:  # the reply a reviewer prefers must still be fit to choose
        assert again[first["id"]]["chosen"] == first["rejected"]


def test_every_candidate_can_be_explained(sft, store):
    row = rows(sft, "messages")[0]
    story = explain(sft.out, row["id"][:10], store)
    assert story["decision"]["outcome"] == "selected"
    assert story["places"][0]["example"] == row["id"]
    assert row["messages"][-1]["content"] in story["text"]
    assert story["source"]["takedown"]
    with pytest.raises(UserError, match="never saw"):
        explain(sft.out, "0" * 12, store)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sources": {"sample-moments": {}}}, ["no `skill`", "sources.sample-moments"]),
        ({"sources": {"sample-mit": {}}}, ["unknown source", "did you mean"]),
        ({"formats": ["preference"]}, ["task sft makes"]),
        ({"formats": ["messages", "messages"]}, ["each format once"]),
        ({"quotas": [{"facet": "joy", "at_least": 0.1}]}, ["no facet is called 'joy'"]),
        ({"quotas": [{"facet": "autonomy"}]}, ["at_least, at_most or both"]),
        ({"quotas": [{"situation": "", "at_least": 0.1}]}, ["at least 1 character", "quotas.0"]),
        ({"quotas": [{"where": "", "at_least": 0.1}]}, ["at least 1 character", "quotas.0"]),
        ({"sources": {"sample-mi": {"at_least": 0.6, "at_most": 0.5}}}, ["at_least is more than at_most", "sample-mi"]),
        ({"quotas": [{"principle": "nope", "at_least": 0.1}]}, ["no principle 'nope'", "quotas.0.principle"]),
        ({"quotas": [{"where": "supprt > 1", "at_least": 0.1}]}, ["does not hold as SQL", "quotas.0.where"]),
        ({"filters": {"drop": [{"where": "random() > 0.5", "reason": "luck"}]}}, ["gives another answer"]),
        ({"order": {"supprt": 1.0}}, ["does not hold as SQL", "order"]),
        ({"order": {"support": 0}}, ["greater than 0"]),
        ({"constitution": "welmix"}, ["no constitution", "did you mean"]),
        ({"reviews": ["nobody.jsonl"]}, ["no such file of decisions", "reviews.0"]),
        ({"task": "preference", "formats": ["unpaired"]}, ["pairs.unpaired"]),
        ({"siz": 3}, ["unknown field 'siz'", "did you mean 'size'"]),
        ({"lengths": {"reply_words": [9, 3]}}, ["fewest, most"]),
    ],
)
def test_mistakes_name_place_and_fix(tmp_path, changes, said):
    recipe = yaml.safe_load(SFT.read_text()) | changes
    path = tmp_path / "set.yaml"
    path.write_text(yaml.safe_dump(recipe))
    with pytest.raises(UserError) as error:
        curate(path, tmp_path / "out", tmp_path / "store")
    for part in [*said, "set.yaml" if "constitution" not in changes else "welmix"]:
        assert part in str(error.value), str(error.value)


LICENCES = {
    "permissive": "CC-BY-4.0",
    "sharing": "CC-BY-SA-4.0",
    "noncommercial": "CC-BY-NC-4.0",
    "unstated": "none-stated",
}


@pytest.mark.parametrize(
    ("purpose", "refused"), [("research", []), ("publish", ["unstated"]), ("commercial", ["noncommercial", "unstated"])]
)
def test_licences_gate_each_purpose(tmp_path, purpose, refused):
    (tmp_path / "cards").mkdir()
    card = yaml.safe_load((ROOT / "sources/cards/sample-critiques.yaml").read_text())
    for name, licence in LICENCES.items():
        (tmp_path / "cards" / f"{name}.yaml").write_text(
            yaml.safe_dump(card | {"name": name, "license": {"id": licence}})
        )
    recipe = yaml.safe_load(SFT.read_text()) | {"purpose": purpose, "cards": ["cards"], "size": 10, "quotas": []}
    for name, licence in LICENCES.items():
        (tmp_path / "set.yaml").write_text(yaml.safe_dump(recipe | {"sources": {name: {}}}))
        if name in refused:
            with pytest.raises(UserError, match=f"(?s)may not serve purpose '{purpose}'.*sources.{name}"):
                curate(tmp_path / "set.yaml", tmp_path / "out", tmp_path / "store")
        else:
            result = curate(tmp_path / "set.yaml", tmp_path / "out", tmp_path / "store")
            assert {row["license"] for row in rows(result, "messages")} == {licence}


SHIPPED = sorted(
    path.name for path in (ROOT / "recipes").glob("*.yaml") if "formats" in yaml.safe_load(path.read_text())
)


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("name", ["wise-choices.yaml", "preferences.yaml"])
def test_shipped_decisions_are_about_the_texts_as_anyone_reads_them(real_data, tmp_path_factory, name):
    """Another key for author hashes, another store: the texts reviewers read are the same, and so their decisions hold."""
    folder = tmp_path_factory.mktemp("real")
    result = curate(ROOT / "recipes" / name, folder / "out", folder / "store", workers=2)
    reviews = result.manifest["reviews"]
    decided = sum(sum(kinds.values()) for kinds in reviews["decisions"].values())
    assert decided > 50 and reviews["not_found"] == 0
    # at another effort another earlier reply may end a context, and the text begins elsewhere
    assert reviews["stale"] <= 0.05 * decided
    assert result.manifest["examples"] > 20
    sources = {source: take for source, take in result.manifest["recipe"]["sources"].items() if take["reviewed"]}
    assert sources
    for line in (result.ledger["stages"]["select"][source] for source in sources):
        assert line["candidates_in"] > 0


@pytest.mark.real
@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_recipes_of_sets_can_run_here(real_data, name):
    from pipeline.curate.recipe import load_set_recipe
    from sources.files import resolve

    recipe, cards, _ = load_set_recipe(ROOT / "recipes" / name)
    assert all(resolve(card, lambda path: "") for card in cards.values())
    assert recipe.description
