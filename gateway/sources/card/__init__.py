"""Sound from a card: the microphone."""
