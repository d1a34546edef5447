"""Pure functions over arrays: how good probabilities are, how sure that is, and what a Sharpe ratio proves."""
