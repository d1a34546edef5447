"""What an inspection writes down: findings with their evidence, questions, and the settings that follow."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SURE, LIKELY, UNKNOWN = "sure", "likely", "not known"


@dataclass(frozen=True)
class Evidence:
    """One thing that was found. certainty: sure, likely or not known."""

    what: str
    found: str
    certainty: str
    evidence: str


@dataclass(frozen=True)
class Question:
    """What the file cannot show. setting: the key of the YAML that answers it."""

    setting: str
    asks: str


@dataclass
class Notes:
    """settings: dotted key -> value. certainty: of each of them."""

    findings: list[Evidence] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    certainty: dict[str, str] = field(default_factory=dict)

    def says(self, what: str, found: str, certainty: str, evidence: str) -> None:
        self.findings.append(Evidence(what, found, certainty, evidence))

    def takes_back(self, what: str) -> None:
        """A finding that another one refutes."""
        self.findings = [finding for finding in self.findings if finding.what != what]

    def sets(self, key: str, value: Any, certainty: str) -> None:
        self.settings[key], self.certainty[key] = value, certainty

    def asks(self, setting: str, text: str) -> None:
        self.questions.append(Question(setting, text))

    def is_open(self, setting: str) -> bool:
        """Whether a setting is asked for and not known."""
        return setting not in self.settings and any(question.setting == setting for question in self.questions)
