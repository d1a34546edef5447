"""The features that ship with barsmith, one file a group."""
