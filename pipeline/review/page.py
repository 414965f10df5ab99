"""The HTML page for reviewers: one file, no network, keys for everything, decisions saved as CSV."""

from __future__ import annotations

import html
import json
import re

from classifiers.taxonomy import BEHAVIOURS, SUPPORT
from pipeline.review.decisions import Kind
from pipeline.review.questions import DECISIONS, IDENTITY, SHOWN, TITLES, asked

#: Decision -> key.
KEYS = {"keep": "k", "drop": "d", "unsure": "u", "a": "a", "b": "b", "tie": "t", "good": "g", "bad": "b"}


def page(kind: Kind, principles: dict[str, str], guide: str, rows: list[dict[str, str]]) -> bytes:
    """A page to review the examples with.

    :param guide: the instructions, shown as they are.
    :param rows: what is shown of each example.
    """
    fields = asked(kind, principles)
    data = {
        "identity": IDENTITY,
        "shown": [[name, TITLES[name]] for name in SHOWN[kind]],
        "decisions": [[word, KEYS[word], meaning] for word, meaning in DECISIONS[kind].items()],
        "support": [[level, meaning] for level, meaning in SUPPORT.items()] if "support" in fields else [],
        "behaviours": [[name, meaning] for name, meaning in BEHAVIOURS.items()] if "behaviours" in fields else [],
        "principles": [[name, text] for name, text in principles.items()] if "principles" in fields else [],
        "rows": rows,
    }
    # In a script element only "<" can end the data early; JSON may escape it.
    text = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    before, between, after = re.split("@GUIDE@|@DATA@", _PAGE)
    return "".join([before, html.escape(guide), between, text, after]).encode("utf-8")


_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>Review</title>
<style>
  body { font: 1.05rem/1.55 system-ui, sans-serif; max-width: 72rem; margin: 0 auto; padding: 1rem; color: #1b1b1b; background: #fbfaf7 }
  .text { white-space: pre-wrap; overflow-wrap: anywhere; background: #fff; border: 1px solid #bbb; border-radius: .4rem; padding: .8rem }
  .pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1rem }
  h2 { font-size: 1rem; margin: 1rem 0 .3rem }
  button, input, textarea { font: inherit }
  button { padding: .35rem .8rem; margin: .15rem; border: 1px solid #666; border-radius: .4rem; background: #fff; cursor: pointer }
  button[aria-pressed=true] { background: #1c4e6e; color: #fff }
  button:focus-visible, textarea:focus-visible, input:focus-visible { outline: 3px solid #d98200 }
  textarea { width: 100%; box-sizing: border-box }
  .tags label { display: block } .guide { white-space: pre-wrap }
  nav { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; position: sticky; top: 0; background: #fbfaf7; padding: .4rem 0 }
  @media (prefers-color-scheme: dark) {
    body, nav { color: #eee; background: #1d1f21 } .text, button, textarea, input { background: #2a2d30; color: #eee }
  }
</style>
<h1>Review</h1>
<details><summary>How to review (read this first)</summary><div class="guide">@GUIDE@</div></details>
<nav>
  <button id="back">Back (&larr;)</button> <button id="next">Next (&rarr;)</button>
  <span id="where" aria-live="polite"></span>
  <label>Your name <input id="reviewer" size="14"></label>
  <button id="save">Save (s)</button> <span id="saved" aria-live="polite"></span>
</nav>
<main></main>
<script type="application/json" id="data">@DATA@</script>
<script>
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const main = document.querySelector("main");
const mine = "review-" + data.rows.map(row => row.check).join("").slice(0, 400) + data.rows.length;
let kept = {};
try { kept = JSON.parse(localStorage.getItem(mine)) || {} } catch (e) { /* no storage: decisions live until the page is closed */ }
kept.answers = kept.answers || {};
let at = 0, unsaved = false;
const name = document.getElementById("reviewer");
name.value = kept.reviewer || data.rows[0].reviewer;
name.oninput = () => { kept.reviewer = name.value; keep() };

function keep() {
  unsaved = true;
  try { localStorage.setItem(mine, JSON.stringify(kept)) } catch (e) { /* as above */ }
}
function answer() {
  const id = data.rows[at].id;
  return kept.answers[id] = kept.answers[id] || {decision: "", support: "", behaviours: [], principles: [], note: ""};
}
function make(tag, text, parent) {
  const one = document.createElement(tag);
  if (text) one.textContent = text;
  if (parent) parent.append(one);
  return one;
}
function choose(field, value) {
  const mine = answer();
  mine[field] = mine[field] === value ? "" : value;
  keep(); show();
}
function choices(title, field, options) {
  make("h2", title, main);
  for (const [value, key, meaning] of options) {
    const one = make("button", value + (key === value ? "" : " (" + key + ")"), main);
    one.title = meaning;
    one.setAttribute("aria-pressed", String(answer()[field] === value));
    one.onclick = () => choose(field, value);
  }
}
function tags(title, field, options) {
  const box = make("details", "", main);
  box.open = answer()[field].length > 0;
  make("summary", title, box);
  const list = make("div", "", box);
  list.className = "tags";
  for (const [value, meaning] of [...options, ["none", "I looked and saw none of them"]]) {
    const label = make("label", "", list), tick = make("input", "", label);
    tick.type = "checkbox";
    tick.checked = answer()[field].includes(value);
    tick.onchange = () => {
      const rest = answer()[field].filter(one => one !== value);
      answer()[field] = tick.checked ? [...rest, value] : rest;
      keep();
    };
    label.append(" " + value + ": " + meaning);
  }
}
function show() {
  const row = data.rows[at];
  main.replaceChildren();
  let box = main;
  for (const [field, title] of data.shown) {
    if (field === "reply_a") { box = make("div", "", main); box.className = "pair" }
    const part = make("section", "", box);
    make("h2", title, part);
    make("div", row[field], part).className = "text";
  }
  choices("Decision", "decision", data.decisions);
  if (data.support.length) choices("Support (optional)", "support", data.support.map(([n, meaning]) => [String(n), String(n), meaning]));
  if (data.behaviours.length) tags("Behaviours (optional)", "behaviours", data.behaviours);
  if (data.principles.length) tags("Principles (optional)", "principles", data.principles);
  const label = make("label", "", main);
  make("h2", "Note (do not quote the text)", label);
  const note = make("textarea", "", label);
  note.rows = 2; note.value = answer().note;
  note.oninput = () => { answer().note = note.value; keep() };
  const done = data.rows.filter(one => (kept.answers[one.id] || {}).decision).length;
  document.getElementById("where").textContent = (at + 1) + " of " + data.rows.length + ", " + done + " decided";
}
function go(step) {
  at = Math.min(data.rows.length - 1, Math.max(0, at + step));
  show(); scrollTo(0, 0);
}
function cell(value) {
  let text = Array.isArray(value) ? value.join(",") : String(value == null ? "" : value);
  // as pipeline/cells.py: what a spreadsheet would run gets an apostrophe
  if (/^'*[\\s\\0]*[=+\\-@\\uff1d\\uff0b\\uff0d\\uff20]|^'*[\\t\\r\\n]/.test(text)) text = "'" + text;
  return '"' + text.replaceAll('"', '""') + '"';
}
function save() {
  const fields = ["decision", "support", "behaviours", "principles", "note"];
  const lines = [[...data.identity, ...fields, "reviewer"].map(cell).join(",")];
  for (const row of data.rows) {
    const mine = kept.answers[row.id];
    if (!mine) continue;
    lines.push([...data.identity.map(field => row[field]), ...fields.map(field => mine[field]), name.value].map(cell).join(","));
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(["\\ufeff" + lines.join("\\r\\n") + "\\r\\n"], {type: "text/csv"}));
  link.download = "review.csv";
  link.click();
  unsaved = false;
  document.getElementById("saved").textContent = "saved as review.csv";
}
document.getElementById("back").onclick = () => go(-1);
document.getElementById("next").onclick = () => go(1);
document.getElementById("save").onclick = save;
addEventListener("beforeunload", event => { if (unsaved) event.preventDefault() });
addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(TEXTAREA|INPUT)$/.test(event.target.tagName)) return;
  const key = event.key.toLowerCase();
  const decision = data.decisions.find(one => one[1] === key);
  if (decision) choose("decision", decision[0]);
  else if (data.support.some(one => String(one[0]) === key)) choose("support", key);
  else if (key === "arrowright" || key === "enter" && event.target.tagName !== "BUTTON") go(1);
  else if (key === "arrowleft") go(-1);
  else if (key === "s") save();
});
show();
</script>
</html>
"""
