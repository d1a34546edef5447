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
        rank = f"train score {one['best']['score']:.2f} ranks {one['rank']} of {len(one['shifted']) + 1} with searches on time-shifted features"
        if self.is_more_than_luck(horizon):
            return f"{found}; {rank}; out of sample it earned more than 3/3"
        return f"{found}; {rank}; nothing shows that this is more than noise (labels.tune: false keeps the given barriers)"

    def tables(self) -> list[tuple[str, list[dict[str, Any]]]]:
        searches = [
            {"horizon": h, "barriers": name, **one[key]["barriers"], "score on train": one[key]["score"], "Sharpe on train": one[key]["sharpe"],
             "imbalance": one[key]["imbalance"], "trades": one[key]["trades"],
             "rank among shifted": f"{one['rank']} of {len(one['shifted']) + 1}" if key == "best" else None}
            for h, one in self.search.items() for name, key in (("given", "given"), ("fixed 3/3", "fixed"), ("tuned", "best"))
        ]  # fmt: skip
        compared = [
            {"horizon": row["horizon"], "barriers": row["barriers"], "k up": row["k_up"], "k down": row["k_down"], "max bars": row["max_bars"],
             "trades": row["trades"], "gross a trade, points": row["gross_per_trade"], "Sharpe after costs": row["sharpe"],
             "a session more than 3/3, points": row["over_fixed"]}
            for row in self.compared
        ]  # fmt: skip
        return [("Barriers: the search on train", searches), ("Barriers: out of sample, on validation", compared)]


def surface(tuning: Tuning, horizon: str) -> Any:
    """Every trial of a horizon by its two distances, coloured by score."""
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
                "size": 11,
                "colorscale": "Viridis",
                "showscale": True,
                "colorbar": {"title": "score"},
            },
        )
    )
    figure.add_annotation(x=best["k_down"], y=best["k_up"], text="chosen", showarrow=True)
    title = f"Trials of horizon {horizon}: score on train by barrier distances"
    return figure.update_layout(title=title, xaxis_title="lower barrier, ATR", yaxis_title="upper barrier, ATR")
