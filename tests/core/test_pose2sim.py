"""The loaders on small files written here; the layout is that of the real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from physhmr.errors import CameraError, MotionFileError
from physhmr.eval.pose2sim import load_qca_cameras, load_trc
from physhmr.geometry.camera import project

# A camera 2 m up at x = 4 m that looks along -x: right is world +y, up is +z, backwards is +x.
TRANSFORM = 'r11="0" r12="1" r13="0" r21="0" r22="0" r23="1" r31="1" r32="0" r33="0" x="4000.0" y="0.0" z="2000.0"'
CALIBRATION = f"""<?xml version='1.0' encoding='ASCII'?>
<calibration><cameras>
<camera serial="cam01">
  <fov_video bottom="479" left="10" right="649" top="0"/>
  <transform {TRANSFORM}/>
  <intrinsic centerPointU="{64 * 330}" centerPointV="{64 * 240}" focalLengthU="32000" focalLengthV="{64 * 510}"
    radialDistortion1="-0.05" radialDistortion2="0.1" radialDistortion3="0" tangentalDistortion1="0.001"
    tangentalDistortion2="0.002"/>
</camera></cameras></calibration>
"""


def trc(rows: list[str], units: str = "m", names: str = "RHip\t\t\tLAnkle\t\t") -> str:
    header = ["PathFileType\t4\t(X/Y/Z)\tdemo.trc", "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits"]
    return "\n".join(
        [*header, f"60\t60\t{len(rows)}\t2\t{units}", f"Frame#\tTime\t{names}", "\t\tX1\tY1\tZ1\tX2\tY2\tZ2", *rows, ""]
    )


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_camera_stands_and_looks_where_the_file_says(tmp_path: Path) -> None:
    camera = load_qca_cameras(write(tmp_path / "a.qca.txt", CALIBRATION))["cam01"]
    assert (camera.width, camera.height) == (640, 480)
    np.testing.assert_allclose(camera.K, [[500, 0, 320], [0, 510, 240], [0, 0, 1]])
    np.testing.assert_allclose(camera.distortion, [-0.05, 0.1, 0.001, 0.002])
    np.testing.assert_allclose(project(camera, np.array([0.0, 0.0, 2.0])), [320, 240])
    right, up = project(camera, np.array([[0.0, 0.4, 2.0], [0.0, 0.0, 2.4]]))
    assert right[0] > 360 and abs(right[1] - 240) < 1
    assert up[1] < 200 and abs(up[0] - 320) < 1


@pytest.mark.parametrize(
    "text",
    [
        CALIBRATION.replace("<transform", "<nothing"),
        CALIBRATION.replace("focalLengthU", "focal"),
        CALIBRATION.replace('r11="0"', 'r11="a"'),
        CALIBRATION.replace("</cameras>", ""),
        "<calibration><cameras/></calibration>",
    ],
)
def test_a_damaged_calibration_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(CameraError, match=r"a\.qca\.txt"):
        load_qca_cameras(write(tmp_path / "a.qca.txt", text))


def test_a_missing_calibration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="missing"):
        load_qca_cameras(tmp_path / "missing.txt")


def test_the_truth_is_turned_z_up(tmp_path: Path) -> None:
    rows = ["1\t0.05\t0.1\t0.9\t-1.4\t0.2\t0.1\t-1.3", "2\t0.0666666667\t0.1\t0.8\t-1.4\t0.2\t0.1\t-1.3"]
    track = load_trc(write(tmp_path / "a.trc", trc(rows)))
    assert track.names == ("RHip", "LAnkle") and track.fps == 60.0
    np.testing.assert_allclose(track.pos_w[0, 0], [-1.4, 0.1, 0.9])
    np.testing.assert_allclose(track.stamps_ns, [0, 16666667], atol=2)
    np.testing.assert_allclose(track.select(["L_Ankle"])[:, 0], [[-1.3, 0.2, 0.1]] * 2)
    with pytest.raises(MotionFileError, match="no joint R_Knee; it has RHip, LAnkle"):
        track.select(["R_Hip", "R_Knee"])


def test_millimetres_become_metres(tmp_path: Path) -> None:
    track = load_trc(write(tmp_path / "a.trc", trc(["1\t0\t100\t900\t0\t0\t0\t0"], units="mm")))
    np.testing.assert_allclose(track.pos_w[0, 0], [0.0, 0.1, 0.9])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        trc(["1\t0\t1\t2\t3"]),
        trc(["1\t0\t1\t2\t3\t4\t5\tx"]),
        trc(["1\t0\t1\t2\t3\t4\t5\tnan"]),
        trc(["1\t0\t1\t2\t3\t4\t5\t6"], units="inch"),
        trc([]),
    ],
)
def test_a_damaged_table_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(MotionFileError, match=r"a\.trc"):
        load_trc(write(tmp_path / "a.trc", text))
