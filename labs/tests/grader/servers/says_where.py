"""Is not told a port: it picks one, says so, and is good for the rest."""
import sys

import good

sys.argv[1:1] = ["--port", "0"]
print("a line before the one that counts", flush=True)
good.main()
