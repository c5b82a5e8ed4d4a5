"""How far what was rebuilt is from what was said: figures, and a picture of both."""
