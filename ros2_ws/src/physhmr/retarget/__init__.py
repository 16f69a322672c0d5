"""Side room: the humanoid's motion onto robots, inside what they can do, and only when somebody allows it."""
