"""Pictures of models: what is drawn is where it should be, in its colour, the near before the far."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from physhmr.view.model_picture import ModelPicture, View

XML = """<mujoco><worldbody><body><freejoint/>
<geom type="{kind}" size="0.1 0.1 0.1" rgba="1 0 0 1"/></body>
<body pos="-1 0 1"><geom type="box" size="0.3 0.3 0.3" rgba="0 1 0 1"/></body></worldbody></mujoco>"""
FRONT = View((0.0, 0.0, 1.0), 2.0, azimuth=0.0, elevation=0.0)


def shown(kind: str, position: tuple[float, float, float]) -> np.ndarray:
    model = mujoco.MjModel.from_xml_string(XML.format(kind=kind))
    return ModelPicture(model)(np.array([*position, 1.0, 0.0, 0.0, 0.0]), FRONT, (100, 100)).astype(int)


def red(image: np.ndarray) -> np.ndarray:
    return image[..., 0] > image[..., 1] + 60


@pytest.mark.parametrize("kind", ["box", "sphere", "capsule", "cylinder"])
def test_a_shape_is_drawn_where_it_is(kind: str) -> None:
    """Seen along -x, +y is right and +z is up; 50 px are a metre."""
    rows, columns = np.nonzero(red(shown(kind, (0.0, 0.5, 1.6))))
    assert columns.mean() == pytest.approx(50 + 25, abs=1)
    assert rows.mean() == pytest.approx(50 - 30, abs=1)
    assert np.ptp(columns) == pytest.approx(10, abs=2)


def test_what_is_near_hides_what_is_far() -> None:
    assert red(shown("box", (1.0, 0.0, 1.0)))[50, 50]
    assert not red(shown("box", (-3.0, 0.0, 1.0))).any()


def test_surfaces_have_no_holes() -> None:
    mask = red(shown("box", (1.0, 0.0, 1.0)))
    rows, columns = np.nonzero(mask)
    assert mask[rows.min() + 1 : rows.max(), columns.min() + 1 : columns.max()].all()
