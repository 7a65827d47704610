"""Stores each item as soon as it is checked."""
import good


class Server(good.Server):
    def batch(self, value, now):
        items, lines = value["metrics"], []
        if not isinstance(items, list) or "name" in value or not 1 <= len(items) <= good.BATCH_MAX:
            raise good.bad("metrics: expected 1 to 1000 items")
        for index, item in enumerate(items):
            try:
                lines.append(good.metric(item, now))
            except good.Refused as refused:
                self.store(lines)
                raise good.bad(f"metrics[{index}]: {refused.detail}") from None
        return lines


good.main(Server)
