"""The markets that ship with the conformance checks, by the name under which the catalogue's tests know them."""

from __future__ import annotations

from barsmith.testing.markets import OCTOBER, SESSIONS, TICK, awkward_minutes, kept, ordinary_minutes, scaled, still_minutes

__all__ = ["OCTOBER", "SESSIONS", "TICK", "awkward_minutes", "kept", "ordinary_minutes", "scaled", "still_minutes"]
