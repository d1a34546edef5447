"""A training as a page: scores beside baselines, timing apart from direction, calibration, learning curve, importance."""

from __future__ import annotations

from typing import Any

from barsmith.models.importance import FeatureImportance
from barsmith.pipeline.page import page, picture, sentence, table
from barsmith.pipeline.training_pictures import PARTS, bars_of, confusion, curves, over_time, reliability, shuffled, skill, step_name
from barsmith.pipeline.training_result import Judged, Training, summary_rows

OWN = "The model's own account, of what it learned from: {what} A feature may count there and tell nothing new."
SHUFFLED = (
    "By how much the log loss of {rows:,} of the {of:,} validation rows rises when one feature is shuffled among them, the mean of {shuffles}; the bars are 95 % intervals by "
    "drawing whole sessions. One that reaches below zero does not show that the feature helps. Features that say much the same stand in for each other, so that none of them counts."
)
CALIBRATION = (
    "Rows are put together by the probability that was said. On the dotted line half of what is called 50 % comes; below it the model says too much. "
    "The bars are 95 % intervals by drawing whole sessions; a bin of fewer than 20 rows is not drawn, the columns below count all of them."
)
CONFUSION = "Each row of squares is what came, each column what the model called most probable: the count, and its share of the row. A model without skill has rows that look alike."
OVER_TIME = "The mean of each session on validation: what the model said as a line, what came dotted. A model that only knows the usual shares is a flat line."
LEARNING = "The loss after each {step}, with sample weights. Both are of the training rows: the last of them, purged, decide when to stop; validation is not looked at."


def training_page(training: Training) -> str:
    """Self-contained HTML."""
    container, val = training.container, training.splits["val"]
    lead = (
        f"{training.data.symbol}, horizon {container.horizon} bars, data run {training.data.run_id}: "
        f"{len(container.train):,} training rows, {len(container.val):,} validation rows; the test split is "
        + ("OPEN" if container.test_is_open else "closed")
        + "."
    )
    verdict = [sentence(training.verdict.sentence, "bad" if training.alarms else "")]
    verdict += [sentence(f"Too good to be true: {alarm.why}; run {' and '.join(alarm.checks)}.", "bad") for alarm in training.alarms]
    answers, seed = training.data.settings.labels.answers, training.data.settings.random_seed
    sections = [
        ("Verdict", verdict),
        ("Scores on validation", scores(training)),
        (
            "Minus each baseline, 95 % interval",
            [table(differences(val, training.skill_columns)), sentence("Log loss: below zero is better than the baseline.")],
        ),
        ("Do the probabilities mean what they say?", [sentence(CALIBRATION), picture(reliability(val, answers, seed), "reliability", 460)]),
        ("What was said and what came", [sentence(CONFUSION), picture(confusion(val, answers), "confusion")]),
        ("Probability over time", [sentence(OVER_TIME), picture(over_time(val, answers), "probability", 140 * len(answers) + 80)]),
        ("Learning", learning(training)),
        ("Importance", importance(training.importance)),
    ]
    return page(f"{training.model.info.name} on {training.data.symbol}", lead, sections)


def scores(training: Training) -> list[str]:
    val = training.splits["val"]
    apart = "Timing asks whether a barrier is touched before time runs out, direction which of the two. 0.5 is a coin."
    if training.is_meta:
        apart = "auc_paid asks which of the primary signal's trades pay. 0.5 is a coin."
    return [table(summary_rows(training)), sentence(apart), picture(skill(val, training.skill_columns), "skill", 260)]


def importance(found: FeatureImportance) -> list[str]:
    """What the model loses without each feature, and its own account where it gives one."""
    height = 90 + 22 * min(len(found.permutation), 25)
    says = SHUFFLED.format(rows=found.rows, of=found.of, shuffles="1 order" if found.shuffles == 1 else f"{found.shuffles} orders")
    parts = [sentence(says), picture(shuffled(found), "permutation", height)]
    if found.own is not None:
        parts += [sentence(OWN.format(what=found.own_is)), picture(bars_of(found.own), "importance", height)]
    return parts


def learning(training: Training) -> list[str]:
    """The curves, or the two numbers of a model without rounds, and what the model noted while it learned."""
    told = training.told
    notes = [sentence(note) for note in told.notes]
    if not any(len(losses) > 1 for losses in told.history.values()):
        ends = [f"{losses[-1]:.4f} on the {PARTS.get(name, name)}" for name, losses in told.history.items() if len(losses)]
        return [sentence("The model has no rounds." + (f" Its log loss is {' and '.join(ends)}." if ends else "")), *notes]
    step = step_name(training)
    done = max(len(losses) for losses in told.history.values())
    kept = "" if told.best_iteration is None else f" The model is that of {step} {told.best_iteration + 1} of {done}."
    return [sentence(LEARNING.format(step=step) + kept), picture(curves(training), "learning"), *notes]


def differences(judged: Judged, columns: dict[str, str]) -> list[dict[str, Any]]:
    """columns: {score of skill: what it is called}."""
    titles = {"accuracy": "accuracy", "log_loss": "log_loss"} | columns
    return [
        {"baseline": name.replace("_", " "), **{title: row[key] for key, title in titles.items()}}
        for name, row in judged.better_than.items()
    ]
