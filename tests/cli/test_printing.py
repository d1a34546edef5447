"""What a table becomes where nobody looks: a page wide, with every cell whole."""

from __future__ import annotations

import io

import pytest

from barsmith.cli.printing import PIPED_WIDTH, Report, Table, show

WHY = "its input clean is another; " * 9


@pytest.mark.parametrize("word", ["labels " * 40, "x" * 300])
def test_a_wide_table_is_folded_and_nothing_is_lost(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    show(Report({}, [Table([{"stage": "features", "rows": 59_664, "why": WHY, "word": word}])]), as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= PIPED_WIDTH
    told = "".join("".join(lines).split())
    assert "59,664" in told
    for letter in "xlabenputcioh;":
        assert told.count(letter) >= (WHY + word).count(letter)


def test_a_narrow_table_keeps_a_line_a_row() -> None:
    from barsmith.cli.printing import console_of, grid_of

    out = io.StringIO()
    console_of(out).print(grid_of(Table([{"stage": "features", "rows": 3}, {"stage": "mtf", "rows": 4}])))
    assert [line.split() for line in out.getvalue().splitlines() if line.strip()][2:] == [["features", "3"], ["mtf", "4"]]
