"""What a person sees of the chain: overlay, side view, video and browser page. Nothing here needs OpenGL."""
