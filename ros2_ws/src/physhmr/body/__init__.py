"""The humanoid: skeleton, MJCF, URDF and kinematics."""
