"""Two small models of windows that a user might write: linear in the last row, linear in every close of several timeframes."""

import numpy as np

from barsmith.models import BaseModel, PredictionOutput, register
from barsmith.models.params import RungParams, WindowParams


class Linear(BaseModel):
    """A logistic regression over some numbers of each window."""

    def fit(self, X_train, y_train, X_val, y_val):
        from sklearn.linear_model import LogisticRegression

        numbers = np.concatenate([self.numbers(part) for part in X_train.batches(512)])
        model = LogisticRegression(max_iter=200).fit(numbers, y_train)
        self.weights, self.intercepts = np.array(model.coef_), np.array(model.intercept_)

    def predict(self, X):
        margins = np.array([[sum((row * w).tolist()) for w in self.weights] for row in self.numbers(X)]) + self.intercepts
        odds = np.exp(margins - margins.max(axis=1, keepdims=True))
        return PredictionOutput.of(odds / odds.sum(axis=1, keepdims=True))


@register(name="last_row", family="neural")
class LastRow(Linear):
    """Linear in the first and the last row of a sequence."""

    Params = WindowParams

    def numbers(self, X):
        return np.asarray(X, np.float64)[:, [0, -1]].reshape(len(X), -1)


@register(name="closes", family="neural", reads="multires")
class Closes(Linear):
    """Linear in the closes of several timeframes."""

    class Params(RungParams):
        strategy: str = "ingestion"
        timeframes: tuple[str, ...] = ("1m", "5m", "15m")

    def numbers(self, X):
        return 100.0 * np.asarray(X, np.float64)[..., 3].reshape(len(X), -1)
