"""The skin of a body model of the user's (SMPL, SMPL-H, SMPL-X) over the humanoid's pose: for the eye alone."""
