"""Who may learn from which rows: the calendar of train, validation and test, and purging by label end."""
