"""What the search for barriers found, and whether it was more than luck."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, eq=False)
class Tuning:
    """why_not, trials, search: as `TunedBarriers`. compared: the rows of `OutOfSample`."""

    why_not: str
    trials: pl.DataFrame
    search: Mapping[str, Mapping[str, Any]]
    compared: list[dict[str, Any]]

    def is_more_than_luck(self, horizon: str) -> bool:
        """No search on shifted features scored as high, and out of sample it beat the fixed 3/3 with its whole interval."""
        over = [row["over_fixed"] for row in self.compared if row["horizon"] == int(horizon) and row["barriers"] == "tuned"]
        return self.search[horizon]["rank"] == 1 and bool(over) and over[0] is not None and over[0][0] > 0.0

    def lines(self) -> list[str]:
        """One sentence a horizon, or why there is none."""
        if self.why_not:
            return [f"nothing was searched: {self.why_not}"]
        return [self._line(horizon) for horizon in self.search]

    def _line(self, horizon: str) -> str:
        one, best = self.search[horizon], self.search[horizon]["best"]["barriers"]
        found = f"horizon {horizon}: tuned to {best['k_up']:g}/{best['k_down']:g} ATR, {best['max_bars']} bars"
        rank = f"train score {one['best']['score']:.2f} ranks {one['rank']} of {len(one['shifted']) + 1} with the best on time-shifted features"
        if self.is_more_than_luck(horizon):
            return f"{found}; {rank}; out of sample it earned more than 3/3"
        return f"{found}; {rank}; nothing shows that this is more than noise (labels.tune: false keeps the given barriers)"

    def tables(self) -> list[tuple[str, str, list[dict[str, Any]]]]:
        """Heading, what a reader must know, rows."""
        searches = [
            {"horizon": h, "choice": name, BARRIERS: in_short(one[key]["barriers"]), "score on train": one[key]["score"], "Sharpe on train": one[key]["sharpe"],
             "imbalance": one[key]["imbalance"], "trades": one[key]["trades"], "rank": f"{one['rank']} of {len(one['shifted']) + 1}" if key == "best" else None}
            for h, one in self.search.items() for name, key in (("given", "given"), ("fixed 3/3", "fixed"), ("tuned", "best"))
        ]  # fmt: skip
        compared = [
            {"horizon": str(row["horizon"]), "choice": row["barriers"], BARRIERS: in_short(row), "trades": row["trades"], "gross a trade": row["gross_per_trade"],
             "Sharpe": row["sharpe"], "a session more than 3/3": row["over_fixed"]}
            for row in self.compared
        ]  # fmt: skip
        trials = f"{len(self.trials) // max(len(self.search), 1)} {SEARCHED}"
        return [("Barriers: the search on train", trials, searches), ("Barriers: out of sample, on validation", COMPARED, compared)]


BARRIERS = "up / down ATR, bars"
SEARCHED = (
    "choices of barriers a horizon (upper and lower distance in ATR, patience in bars) were tried on train alone. Score: the annual Sharpe ratio, after costs, of what a ridge "
    "regression earns out of fold when it learns these labels, less the imbalance of their classes (0 all alike, 1 a single class). Given: the barriers before any search. "
    "Rank: the same choices were scored on features moved to other times, which can know nothing; the best score on the true features is ranked among the best scores on those."
)
COMPARED = (
    "The same regression, fitted on train, trades validation, which the search has not seen. Gross a trade: before costs, in points of one contract. Sharpe: annual, after costs. "
    "Last column: 95 % interval of the mean profit of a session less that with 3/3, in points; only an interval above 0 shows that the choice earns more."
)


def in_short(barriers: Mapping[str, Any]) -> str:
    """`1.5 / 1, 5`."""
    return f"{barriers['k_up']:g} / {barriers['k_down']:g}, {barriers['max_bars']}"


def surface(tuning: Tuning, horizon: str) -> Any:
    """Every trial of a horizon by its two distances, coloured by score, the larger the more patient."""
    import plotly.graph_objects as go

    rows = tuning.trials.filter(tuning.trials["horizon"] == int(horizon))
    best = tuning.search[horizon]["best"]["barriers"]
    said = [f"{n} bars, {trades} trades" for n, trades in zip(rows["max_bars"], rows["trades"], strict=True)]
    figure = go.Figure(
        go.Scatter(
            x=rows["k_down"].to_list(),
            y=rows["k_up"].to_list(),
            mode="markers",
            text=said,
            marker={
                "color": rows["score"].to_list(),
                "size": (6 + 10 * rows["max_bars"] / rows["max_bars"].max()).to_list(),
                "colorscale": "Viridis",
                "showscale": True,
                "colorbar": {"title": "score"},
            },
        )
    )
    figure.add_annotation(x=best["k_down"], y=best["k_up"], text="chosen", showarrow=True)
    title = f"Horizon {horizon}: score on train of each choice of barriers; the larger the point, the more bars of patience"
    return figure.update_layout(title=title, xaxis_title="lower barrier, ATR", yaxis_title="upper barrier, ATR")
