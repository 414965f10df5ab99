"""What a text can be: the labels every classifier, recipe and report speaks, with one line on each.

The names and definitions are those the annotators worked with, so a score means what its label meant to a reader.
Wellbeing is not one number: facets follow PERMA (Seligman) and the basic needs of self-determination theory (Deci and
Ryan), widened by body, adversity and society; each stands by itself and a recipe says how it uses them.
"""

from __future__ import annotations

from typing import Literal

#: How much a text can teach a language model about human wellbeing, 0 to 5.
RELEVANCE: dict[int, str] = {
    0: "nothing: advertisements, code, scores, weather, stock reports",
    1: "people appear, wellbeing only in passing",
    2: "some human experience or wellbeing content, thin",
    3: "wellbeing is a real theme, or clear content about mind, relationships, growth, health, society's care",
    4: "rich: concrete experience, insight or skilled help",
    5: "exceptional: deep first-person experience, expert explanation or a model supportive exchange",
}

#: Sides of wellbeing; each counts whether the person has it or lacks it.
FACETS: dict[str, str] = {
    "positive_emotion": "joy, gratitude, hope, calm, love felt",
    "engagement": "absorption, play, curiosity, flow",
    "relationships": "family, friends, partners, belonging, loneliness, conflict",
    "meaning": "purpose, values, faith, contribution",
    "accomplishment": "goals, mastery, growth, competence, or failing at them",
    "autonomy": "choice, agency, control, coercion",
    "vitality": "body, sleep, illness, energy, exercise",
    "adversity": "distress, mental illness, grief, trauma, coping, recovery",
    "society": "institutions, justice, work conditions, money worries, community, culture",
}

STANCE: dict[str, str] = {
    "flourishing": "life goes well for the people in the text",
    "struggling": "life goes badly for them",
    "mixed": "both, or a turn from one to the other",
    "neutral": "the text does not say how life goes for anyone",
}

REGISTER: dict[str, str] = {
    "first_person": "someone writes about their own life",
    "dialogue": "people speak or write to each other",
    "expository": "explains or reports",
    "narrative": "tells a story about others",
    "promotional": "sells or recruits",
    "other": "none of these: fragments, lists, code",
}

#: How well somebody in the text responds to another person's situation, 0 to 3; null where nobody responds.
SUPPORT: dict[int, str] = {
    0: "dismissive, harmful or unqualified",
    1: "generic",
    2: "attentive and useful",
    3: "skilled: understands, validates, respects the person's own choice and judgement",
}

#: What a responder does.
BEHAVIOURS: dict[str, str] = {
    "reflects": "restates, shows understanding",
    "validates": "says that the feeling makes sense",
    "asks": "open or Socratic question",
    "empowers": "draws on the person's own wisdom, choice, strengths",
    "informs": "accurate facts, psychoeducation",
    "suggests": "a concrete step",
    "refers": "points to a professional or crisis resource",
    "self_discloses": "tells of their own experience",
    "judges": "criticises, moralises",
    "directs": "orders, takes over",
    "dismisses": "waves the trouble away",
}

#: Talk *about* harm. Kept and tagged: this is where people tell of their pain, and what an ordinary filter throws out.
SENSITIVE: dict[str, str] = {
    "disclosure": "someone tells of own suicidal thoughts, self-harm, abuse, eating disorder or addiction",
    "discusses_harm": "quotes, reports, condemns or explains a harm without doing it",
}

#: Text that *does* harm to a reader.
HARMFUL: dict[str, str] = {
    "selfharm_harm": "encourages suicide or self-harm or gives a method",
    "ed_harm": "promotes disordered eating",
    "hate": "attacks people for who they are",
    "harassment": "insults or abuse aimed at a person",
    "threat": "violence threatened or incited",
    "sexual": "explicit sexual content",
    "minor_sexual": "sexual content about a minor",
    "bad_advice": "dangerous medical or psychological advice",
    "manipulation": "coercion, gaslighting, undermining someone's autonomy as something to do",
    "substance_harm": "promotes misuse of drugs or alcohol",
    "illegal_harm": "helps serious crime or weapons",
}

SAFETY: dict[str, str] = SENSITIVE | HARMFUL

Action = Literal["drop", "never", "keep", "keep_capped", "upweight", "prompt_only", "chosen", "rejected"]

#: What a text does with its subject -> (what pretraining does with it, what fine-tuning does with it).
#: Safety is judged on two axes, what a text is about and what it does: by the harm to a reader, not the author's risk.
POLICY: dict[str, tuple[Action, Action]] = {
    "gives_method_or_encourages": ("drop", "never"),
    "discloses_unanswered": ("keep_capped", "prompt_only"),
    "discloses_answered_with_support": ("upweight", "chosen"),
    "recovers_or_copes": ("upweight", "chosen"),
    "educates_or_reports_safely": ("keep", "chosen"),
    "support_fails": ("keep", "rejected"),
}

#: How far a scorer goes: its first tier alone, later tiers where there is doubt, or every tier on every text.
Effort = Literal["fast", "balanced", "best"]

#: Groups of columns a scorer's doubt can be about.
Field = Literal["relevance", "facets", "stance", "register", "support", "safety"]

#: Why a text has no scores.
ABSTAIN: dict[str, str] = {
    "language": "not English: the models know no other language, and a wrong number is worse than none",
    "too_short": "fewer than two known words",
}
