"""A training as a page: scores beside baselines, timing apart from direction, calibration, learning curve, importance."""

from __future__ import annotations

from typing import Any

from barsmith.pipeline.page import page, picture, sentence, table
from barsmith.pipeline.training_pictures import PARTS, bars_of, confusion, curves, over_time, reliability, skill, step_name
from barsmith.pipeline.training_result import Judged, Training, summary_rows

HOW = {
    "model": "As the model accounts for itself (gain or size of the coefficients). A feature may count and yet tell nothing new.",
    "permutation": "Rise of the validation log loss when one feature is shuffled, once; of windows over a sample of them, 20,000 divided by the number of features. "
    "Below zero the model would do better without it. There is no interval: small differences are noise.",
}
CALIBRATION = (
    "Rows are put together by the probability that was said. On the dotted line half of what is called 50 % comes; below it the model says too much. "
    "The bars are 95 % intervals by drawing whole sessions; a bin of fewer than 20 rows is not drawn, the columns below count all of them."
)
CONFUSION = "Each row of squares is what came, each column what the model called most probable: the count, and its share of the row. A model without skill has rows that look alike."
OVER_TIME = "The mean of each session on validation: what the model said as a line, what came dotted. A model that only knows the usual shares is a flat line."
LEARNING = "The loss after each {step}, with sample weights. Both are of the training rows: the last of them, purged, decide when to stop; validation is not looked at."


def training_page(training: Training, importance: dict[str, float], how: str) -> str:
    """Self-contained HTML. how: where the importance comes from, `model` or `permutation`."""
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
        ("Importance", [sentence(HOW[how]), picture(bars_of(importance), "importance", 90 + 22 * min(len(importance), 25))]),
    ]
    return page(f"{training.model.info.name} on {training.data.symbol}", lead, sections)


def scores(training: Training) -> list[str]:
    val = training.splits["val"]
    apart = "Timing asks whether a barrier is touched before time runs out, direction which of the two. 0.5 is a coin."
    if training.is_meta:
        apart = "auc_paid asks which of the primary signal's trades pay. 0.5 is a coin."
    return [table(summary_rows(training)), sentence(apart), picture(skill(val, training.skill_columns), "skill", 260)]


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
