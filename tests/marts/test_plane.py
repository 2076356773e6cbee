"""The projection against PROJ's."""

from __future__ import annotations

import numpy as np
import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.marts.plane import to_plane, utm_meridian


@pytest.mark.slow
@given(st.floats(-80, 84), st.floats(-6, 6), st.integers(1, 60))
def test_equals_proj_within_a_millimetre(latitude: float, away: float, zone: int) -> None:
    meridian = zone * 6 - 183
    longitude = meridian + away
    ours = to_plane(np.array([latitude]), np.array([longitude]), meridian)[0]
    project = pyproj.Transformer.from_crs(4326, 32600 + zone, always_xy=True)
    east, north = project.transform(longitude, latitude)
    assert np.allclose(ours, (east - 500_000, north), atol=1e-3)


def test_the_zone_is_that_of_the_middle() -> None:
    assert utm_meridian(np.array([76.9, 77.0, np.nan])) == 75
    assert utm_meridian(np.array([-82.4])) == -81
    assert utm_meridian(np.array([])) == 3
