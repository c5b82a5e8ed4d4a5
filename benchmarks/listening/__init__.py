"""Hearing for oneself: recordings rebuilt by nano and by others, a page of them, a blind comparison of them."""
