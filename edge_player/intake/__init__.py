"""Messages in: from the network thread's subscription to what the player worker makes of each."""
