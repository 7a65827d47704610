"""Cannot start, and says why."""
import sys

sys.exit("cannot read settings.toml: no such file")
