"""Timings, side by side, as JSON beside the machine they ran on."""
