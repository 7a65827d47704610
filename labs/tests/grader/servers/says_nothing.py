"""Runs, and neither listens nor says so."""
import time

while True:
    time.sleep(60)
