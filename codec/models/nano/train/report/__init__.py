"""Curves and tables of training runs."""
