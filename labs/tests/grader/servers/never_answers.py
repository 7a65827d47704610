"""Takes connections and says nothing."""
import good


class Server(good.Server):
    def serve(self, client):
        self.kept = [*getattr(self, "kept", []), client.dup()]


good.main(Server)
