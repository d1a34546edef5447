"""What the market did: readers, cleaning, sessions, the ladder of timeframes and simulated markets."""
