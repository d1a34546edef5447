"""Wavelet features against PyWavelets: its coefficients, and its own transform of past bars alone."""

from __future__ import annotations

import numpy as np
import pytest
import pywt
from formulas import agree, atr, average, bars_of, lagged
from single import read, read_expression

from barsmith.features.catalog.wavelets import bands


def smooth(x: np.ndarray, name: str, gap: int) -> np.ndarray:
    """One low-pass filter over this and earlier values, `gap` bars apart."""
    taps = np.array(pywt.Wavelet(name).rec_lo) / np.sqrt(2)
    return sum(tap * lagged(x, gap * k) for k, tap in enumerate(taps))


def levels(x: np.ndarray, name: str) -> list[np.ndarray]:
    """Three details and the trend."""
    found, rest = [], x
    for gap in (1, 2, 4):
        below = smooth(rest, name, gap)
        found.append(rest - below)
        rest = below
    return [*found, rest]


def energy(b, name, level):
    details = [levels(b.close, name)[i] / atr(b) for i in range(3)]
    return average(details[level - 1] ** 2, 32) / sum(average(d**2, 32) for d in details)


EXPECTED = {
    name: formula
    for w in ("db4", "haar")
    for name, formula in {
        f"wavelet_trend_{w}": lambda b, w=w: (b.close - levels(b.close, w)[3]) / atr(b),
        f"wavelet_slope_{w}": lambda b, w=w: (levels(b.close, w)[3] - lagged(levels(b.close, w)[3], 4)) / atr(b),
        **{f"wavelet_detail_{w}_{i}": lambda b, w=w, i=i: levels(b.close, w)[i - 1] / atr(b) for i in (1, 2, 3)},
        **{f"wavelet_energy_{w}_{i}": lambda b, w=w, i=i: energy(b, w, i) for i in (1, 2, 3)},
    }.items()
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_wavelet_feature_is_its_formula(name, ordinary):
    agree(ordinary, name, EXPECTED[name](bars_of(ordinary.bars["5m"])), tolerance=1e-8)


@pytest.mark.parametrize("name", ["db4", "haar"])
def test_the_trend_is_pywavelets_own_of_the_bars_before(name, ordinary):
    """`pywt.swt` wraps round its ends; where its filters reach only past bars it gives the same trend, turned round in time."""
    x = ordinary.bars["5m"]["close"][:256]
    taps = len(pywt.Wavelet(name).rec_lo)
    turned = pywt.swt(x[::-1], name, level=3, norm=True, trim_approx=True)[0]
    theirs = np.roll(turned, -7 * (taps // 2 - 1))[::-1]  # its filters are centred, three levels of them
    reach = 7 * (taps - 1)
    np.testing.assert_allclose(read_expression(bands(name).trend, close=x)[reach:], theirs[reach:], rtol=1e-10)


@pytest.mark.parametrize("name", ["db4", "haar"])
def test_details_and_trend_add_up_to_the_close(name, ordinary):
    x = ordinary.bars["5m"]["close"][:500]
    found = bands(name)
    total = sum(read_expression(getattr(found, output), close=x) for output in found.outputs)
    settled = found.settling_bars
    assert settled == 7 * (len(pywt.Wavelet(name).rec_lo) - 1)
    assert np.isnan(total[:settled]).all()
    np.testing.assert_allclose(total[settled:], x[settled:], rtol=1e-14)


def test_the_haar_trend_is_the_average_of_eight_bars(ordinary):
    x = ordinary.bars["5m"]["close"][:500]
    np.testing.assert_allclose(read_expression(bands("haar").trend, close=x)[7:], average(x, 8)[7:], rtol=1e-14)


def test_a_wavelet_transform_of_the_whole_series_would_have_known_the_end(ordinary):
    """The planted leak: the usual transform changes the past when the future comes; ours does not."""
    x = ordinary.bars["5m"]["close"][:512]
    whole, part = (pywt.swt(x[:n], "db4", level=3, norm=True, trim_approx=True)[0] for n in (512, 256))
    assert np.abs(whole[:256] - part).max() > 1
    ours, earlier = (read_expression(bands("db4").trend, close=x[:n]) for n in (512, 256))
    assert np.array_equal(ours[:256], earlier, equal_nan=True)


def test_a_still_market_has_no_detail_and_equal_shares_of_energy():
    still = np.full(900, 4000.1)
    for name in EXPECTED:
        assert read(name, close=still)[-1] == (1 / 3 if "energy" in name else 0), name


def test_a_seesaw_is_all_noise():
    assert read("wavelet_energy_haar_1", close=np.tile([100.0, 101.0], 300))[-1] == 1
