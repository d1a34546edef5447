"""Both reports as a reader sees them: on a screen, on a phone, on paper; and each fault that must be seen, planted."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from barsmith.pipeline.api import run
from small_market import SmallMarket

pytestmark = pytest.mark.slow
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
]
PHONE, SCREEN, A4 = 390, 1280, 703
"""CSS pixels; of A4 what its margins leave."""
LOOK = """() => {
  const box = each => each.getBoundingClientRect(), all = what => [...document.querySelectorAll(what)];
  const drawn = each => all(`#${each.id} .trace, #${each.id} .bars, #${each.id} .hm image`).length > 0 && box(each).width > 100 && box(each).height > 100;
  return {
    wide: document.scrollingElement.scrollWidth - document.documentElement.clientWidth,
    empty: all(".plot").filter(each => { const one = each.querySelector(".js-plotly-plot"); return !one || !drawn(one); }).length,
    cut: all(".plot").filter(each => [...each.querySelectorAll("svg.main-svg")].some(one => box(one).right > box(each).right + 1)).length
       + all(".wide").filter(each => box(each.firstElementChild).right > box(each).right + 1).length * matchMedia("print").matches,
    hidden: all("h1, h2, table, .plot, .says").filter(each => !box(each).height || !box(each).width).length,
    right: Math.max(...all("h2, table, .plot").map(each => box(each).right)) - Math.min(...all("h2").map(each => box(each).left)),
    pictures: all(".plot").length, sections: all("h2").length,
  };
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        pytest.fail("no Chromium on this machine: run `make browser`, which installs it where apt-get can")
    with sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=found, args=QUIET)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def data_report(market: SmallMarket, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With everything that a report may show: the barriers are searched as well."""
    workspace = shutil.copytree(market.workspace, tmp_path_factory.mktemp("searched") / "copied")
    return workspace / run(workspace, symbol="MES", overrides=["labels.tune=true", "labels.trials=8"])["report"]


def opened(browser: Browser, report: Path, width: int, said: list[str]) -> Page:
    """The page, drawn. said: gets what it asked the network for, what it wrote on the console and what it threw."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.on("request", lambda request: said.append(f"asks for {request.url}") if request.url != report.as_uri() else None)
    page.on("console", lambda told: said.append(f"console: {told.text}") if told.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(f"throws {error}"))
    page.goto(report.as_uri())
    page.wait_for_load_state("load")
    page.wait_for_timeout(400)
    return page


def faults(browser: Browser, report: Path, widths: tuple[int, ...] = (PHONE, SCREEN)) -> set[str]:
    """What a reader would complain of, in words."""
    said: list[str] = []
    found = set()
    for width in widths:
        page = opened(browser, report, width, said)
        seen = page.evaluate(LOOK)
        found |= {f"scrolls sideways at {width}"} if seen["wide"] > 0 else set()
        found |= {name for name in ("empty", "cut", "hidden") if seen[name]}
        page.emulate_media(media="print")
        printed = page.evaluate(LOOK)
        found |= {f"{name} on paper" for name in ("cut", "hidden", "empty") if printed[name] > seen[name]}
        found |= {"wider than paper"} if printed["right"] > A4 else set()
        found |= {"sections lost"} if (printed["sections"], printed["pictures"]) != (seen["sections"], seen["pictures"]) else set()
        page.close()
    return found | {line.split(" ")[0].rstrip(":") for line in said}


def test_the_report_of_a_data_run_can_be_read_on_a_screen_on_a_phone_and_on_paper(browser: Browser, data_report: Path) -> None:
    assert faults(browser, data_report) == set()
    text = data_report.read_text()
    drawn = {
        name
        for name in ("price", "shares", "hours", "weights", "surface-5", "surface-20", "drift", "importance", "alike")
        if f'id="{name}"' in text
    }
    assert len(drawn) == 9


def test_the_report_of_a_training_can_be_read_as_well(browser: Browser, market: SmallMarket) -> None:
    assert faults(browser, market.training.run_dir / "plots" / "report.html") == set()


@pytest.mark.real
def test_the_report_of_a_real_year_with_every_feature_can_be_read(browser: Browser, real_data: Path, tmp_path: Path) -> None:
    (tmp_path / "data/raw").mkdir(parents=True)
    shutil.copyfile(real_data / "MES_1m.parquet", tmp_path / "data/raw/MES_1m.parquet")
    report = tmp_path / run(tmp_path, symbol="MES")["report"]
    assert faults(browser, report) == set()
    assert report.stat().st_size < 6_000_000


@pytest.mark.parametrize(
    ("planted", "seen"),
    [
        ('<div style="width:600px">wide</div>', "scrolls sideways at 390"),
        ('<div style="width:1400px">wide</div>', "scrolls sideways at 1280"),
        ('<div class="plot"></div>', "empty"),
        ("<style>#price { height: 0 !important; }</style>", "empty"),
        ("<style>.main-svg { width: 3000px; }</style>", "cut"),
        ("<style>@media print { .plot { width: 300px; } }</style>", "cut on paper"),
        ("<style>@media print { .wide { width: 100px; } }</style>", "cut on paper"),
        ("<style>@media print { h2:last-of-type { display: none; } }</style>", "hidden on paper"),
        ("<style>@media print { body { zoom: 1; } }</style>", "wider than paper"),
        ('<img src="http://127.0.0.1:9/pixel.png">', "asks"),
        ('<script>console.error("no")</script>', "console"),
        ('<script>throw new Error("no")</script>', "throws"),
    ],
)
def test_each_fault_would_be_seen(planted: str, seen: str, browser: Browser, data_report: Path, tmp_path: Path) -> None:
    (tmp_path / "faulty.html").write_text(data_report.read_text().replace("</body>", planted + "</body>"))
    assert seen in faults(browser, tmp_path / "faulty.html", (PHONE if "390" in seen else SCREEN,))
