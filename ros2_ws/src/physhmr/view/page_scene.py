"""The page's 3-D scene: floor, camera, rays, and the humanoid as one mesh per body."""

from __future__ import annotations

import numpy as np
import viser

from physhmr.body.kinematics import forward_kinematics
from physhmr.body.skeleton import BODY_NAMES, PARENTS, Skeleton
from physhmr.geometry.rotation import matrix_to_quat
from physhmr.types import Array, CameraModel, RayBundle
from physhmr.view import palette
from physhmr.view.meshes import body_mesh
from physhmr.view.overlay import MIN_SCORE
from physhmr.view.scene import ray_ends
from physhmr.view.snapshot import Snapshot

_NOWHERE = np.zeros((1, 2, 3), np.float32)
_CHILD, _PARENT = np.arange(1, len(BODY_NAMES)), np.array(PARENTS[1:])


class PageScene:
    """Handles of everything in the scene; only what changed is sent."""

    def __init__(self, server: viser.ViserServer, skeleton: Skeleton) -> None:
        """Build the scene once."""
        self._scene, self._skeleton = server.scene, skeleton
        self._scene.set_up_direction("+z")
        self._scene.configure_environment_map("studio", environment_intensity=0.3)
        self._scene.add_grid(
            "/floor", 20.0, 20.0, cell_size=0.5, section_size=1.0, cell_color=(70, 76, 88),
            section_color=(112, 120, 136), infinite_grid=True, fade_distance=14.0, shadow_opacity=0.5,
        )  # fmt: skip
        self._bodies = [self._add_body(name) for name in BODY_NAMES]
        self._rays = self._add_lines("/rays", palette.RAY, 1.5)
        self._wanted = self._add_lines("/reference", palette.REFERENCE, 2.5)
        self._camera: viser.CameraFrustumHandle | None = None
        self._shown_camera: CameraModel | None = None

    def update(self, snapshot: Snapshot) -> None:
        """Move everything to where `snapshot` says it is; what it does not have is hidden."""
        self._update_camera(snapshot.camera)
        pelvis = self._update_bodies(snapshot.qpos)
        self._update_rays(snapshot.rays, pelvis)
        self._wanted.visible = snapshot.reference_qpos is not None
        if snapshot.reference_qpos is not None:
            joints, _ = forward_kinematics(snapshot.reference_qpos, self._skeleton)
            self._wanted.points = np.stack([joints[_PARENT], joints[_CHILD]], 1).astype(np.float32)

    def _add_body(self, name: str) -> viser.MeshHandle:
        mesh = body_mesh(name, self._skeleton)
        smooth = len(mesh.vertices) > 8
        return self._scene.add_mesh_simple(
            f"/human/{name}", mesh.vertices.astype(np.float32), mesh.faces,
            color=palette.side_colour(name), flat_shading=not smooth, visible=False,
        )  # fmt: skip

    def _add_lines(self, name: str, colour: palette.Colour, pixels: float) -> viser.LineSegmentsHandle:
        return self._scene.add_line_segments(
            name, _NOWHERE, colour, thickness=pixels, thickness_units="screen", visible=False
        )

    def _update_bodies(self, qpos: Array | None) -> Array | None:
        """Returns the pelvis' place (3,) m, None without a humanoid."""
        for body in self._bodies:
            body.visible = qpos is not None
        if qpos is None:
            return None
        pos, rot = forward_kinematics(qpos, self._skeleton)
        for body, place, quat in zip(self._bodies, pos, matrix_to_quat(rot), strict=True):
            body.position, body.wxyz = place, quat
        return pos[0]

    def _update_rays(self, rays: RayBundle | None, pelvis: Array | None) -> None:
        seen = np.zeros(0, bool) if rays is None else rays.score >= MIN_SCORE
        self._rays.visible = bool(seen.any())
        if rays is None or not seen.any():
            return
        # Without a humanoid the rays are drawn 4 m long.
        ends = rays.origin_w + 4.0 * rays.dir_w if pelvis is None else ray_ends(rays, pelvis)
        self._rays.points = np.stack([rays.origin_w, ends], 1)[seen].astype(np.float32)

    def _update_camera(self, camera: CameraModel | None) -> None:
        """Frustums cannot be reshaped in place, so a new camera is a new one."""
        if camera is None or camera.T_wc is None or camera is self._shown_camera:
            return
        self._shown_camera = camera
        self._camera = self._scene.add_camera_frustum(
            "/camera", 2 * float(np.arctan2(0.5 * camera.height, camera.K[1, 1])), camera.width / camera.height,
            scale=0.25, thickness=0.008, color=palette.CAMERA, wxyz=matrix_to_quat(camera.T_wc[:3, :3]),
            position=camera.T_wc[:3, 3],
        )  # fmt: skip
