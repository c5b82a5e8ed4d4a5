"""nano where life is hard: quiet and loud, noise, tones, silence in mid-sentence, the first frame, frame boundaries."""
