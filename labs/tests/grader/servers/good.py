"""A server that reaches phase 0, in Python and its standard library: what the grader must pass.

One thread serves one request at a time and closes. Every line is written and flushed before its
202. The broken servers beside this file change one thing each.
"""

import argparse
import datetime
import json
import math
import os
import re
import signal
import socket
import sys
import time
import urllib.parse

HEAD_MAX = 32 * 1024
TARGET_MAX = 8 * 1024
FIELDS_MAX = 100
BODY_MAX = 1024 * 1024
BATCH_MAX = 1000
DEPTH_MAX = 128
TIMESTAMP_MAX = 253402300799999

REASONS = {200: "OK", 202: "Accepted", 400: "Bad Request", 404: "Not Found",
           405: "Method Not Allowed", 408: "Request Timeout", 411: "Length Required",
           413: "Content Too Large", 414: "URI Too Long", 415: "Unsupported Media Type",
           431: "Request Header Fields Too Large", 500: "Internal Server Error",
           501: "Not Implemented", 505: "HTTP Version Not Supported"}
ROUTES = {"/": ["GET"], "/metrics": ["GET", "POST"], "/health": ["GET"], "/query": ["GET"],
          "/alerts": ["GET"]}
TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class Refused(Exception):
    def __init__(self, status, detail, fields=()):
        super().__init__(detail)
        self.status, self.detail, self.fields = status, detail, fields


class Gone(Exception):
    """The client is not there any more, or never said anything."""


def bad(detail):
    return Refused(400, detail)


# JSON, as RFC 8259 has it and no more.

def no_duplicates(pairs):
    fields = dict(pairs)
    if len(fields) != len(pairs):
        known = ("name", "value", "timestamp", "type", "tags", "metrics")
        names = [name for name, _ in pairs]
        twice = [name for name in fields if names.count(name) > 1]
        # Whoever reads the object decides: unknown fields may be there twice.
        return Object(fields, any(name in known for name in twice), True)
    return Object(fields, False, False)


class Object(dict):
    def __init__(self, fields, known_twice, any_twice):
        super().__init__(fields)
        self.known_twice, self.any_twice = known_twice, any_twice


def finite(text):
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number beyond the range")
    return number


def integer(text):
    finite(text)
    return int(text) if len(text) < 20 else float(text)


def no_constant(name):
    raise ValueError(f"{name} is no JSON")


def depth(text):
    deepest = level = 0
    for part in re.findall(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', text, re.DOTALL):
        if part in "[{":
            level += 1
            deepest = max(deepest, level)
        elif part in "]}":
            level -= 1
    return deepest


def parse_json(body):
    try:
        text = body.decode("utf-8")
        if depth(text) > DEPTH_MAX:
            raise ValueError("nested too deeply")
        value = json.loads(text, object_pairs_hook=no_duplicates, parse_float=finite,
                           parse_int=integer, parse_constant=no_constant)
        json.dumps(value, ensure_ascii=False).encode("utf-8")
        return value
    except (ValueError, RecursionError) as error:
        raise bad(f"no JSON: {error}") from None


# The model.

def is_name(text, longest=255):
    return (isinstance(text, str) and 1 <= len(text.encode("utf-8")) <= longest
            and not any(ord(it) < 32 or 127 <= ord(it) < 160 for it in text))


def milliseconds(value):
    if isinstance(value, int) and not isinstance(value, bool):
        stamp = value
    elif isinstance(value, str):
        form = r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)"
        if not re.fullmatch(form, value, re.ASCII):
            raise bad("timestamp: expected RFC 3339 with a zone")
        fraction = re.search(r"\.(\d+)", value)
        whole = re.sub(r"\.\d+", "", value).upper().replace("Z", "+00:00")
        try:
            moment = datetime.datetime.fromisoformat(whole)
        except ValueError as error:
            raise bad(f"timestamp: {error}") from None
        epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
        stamp = (moment - epoch) // datetime.timedelta(milliseconds=1)
        stamp += int((fraction.group(1) + "00")[:3]) if fraction else 0
    else:
        raise bad("timestamp: expected milliseconds or RFC 3339")
    if not 0 <= stamp <= TIMESTAMP_MAX:
        raise bad("timestamp: expected 1970 to 9999")
    return stamp


def rfc3339(stamp):
    epoch = datetime.datetime(1970, 1, 1)
    moment = epoch + datetime.timedelta(milliseconds=stamp)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{stamp % 1000:03}Z"


def metric(item, now):
    if not isinstance(item, dict) or item.known_twice:
        raise bad("expected an object without equal keys")
    if not is_name(item.get("name")):
        raise bad("name: expected 1 to 255 bytes without control characters")
    value = item.get("value")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise bad("value: expected a number")
    kind = item.get("type", "gauge")
    if kind not in ("gauge", "counter", "histogram"):
        raise bad("type: expected gauge, counter or histogram")
    tags = item.get("tags", {})
    if not isinstance(tags, dict) or ("tags" in item and tags.any_twice) or len(tags) > 32:
        raise bad("tags: expected up to 32 pairs of texts")
    for key, text in tags.items():
        if not is_name(key) or not isinstance(text, str) or len(text.encode("utf-8")) > 1024:
            raise bad("tags: expected short texts")
    stamp = milliseconds(item["timestamp"]) if "timestamp" in item else now
    line = {"timestamp": rfc3339(stamp), "name": item["name"], "value": float(value)}
    if kind != "gauge":
        line["type"] = kind
    if tags:
        line["tags"] = dict(tags)
    return line


class Server:
    def __init__(self, options):
        self.options = options
        self.answers = {}
        self.file = self.open_file()

    # Storage.

    def open_file(self):
        """Cuts what a kill has torn, and says which lines cannot be read."""
        file = open(self.options.data_file, "a+b", buffering=0)
        file.seek(0)
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            print(f"cut a torn last line of {len(content) - whole} bytes", file=sys.stderr)
            file.truncate(whole)
        for number, line in enumerate(content[:whole].split(b"\n")[:-1], 1):
            try:
                json.loads(line)
            except ValueError as error:
                print(f"line {number} is damaged ({error})", file=sys.stderr)
        return file

    def store(self, lines):
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        self.file.write(text.encode("utf-8"))

    # Requests.

    def fill(self, client, buffer, until, has_begun):
        try:
            client.settimeout(max(until - time.monotonic(), 0.001))
            chunk = client.recv(65536)
        except TimeoutError:
            raise (Refused(408, "the request took too long") if has_begun else Gone) from None
        if not chunk:
            raise bad("the request is not complete") if has_begun else Gone
        if time.monotonic() > until:
            raise Refused(408, "the request took too long")
        return buffer + chunk

    def read_head(self, client, until):
        buffer = self.fill(client, b"", until, False)
        while True:
            buffer = buffer.removeprefix(b"\r\n")
            end = buffer.find(b"\r\n\r\n")
            self.check_lines(buffer if end < 0 else buffer[:end + 4])
            if end >= 0:
                return buffer[:end], buffer[end + 4:]
            buffer = self.fill(client, buffer, until, True)

    def check_lines(self, head):
        """What can be refused before the head is complete."""
        if re.search(rb"(?<!\r)\n|\r(?=[^\n])", head):
            raise bad("a line ends in CR LF")
        line = head.split(b"\r\n", 1)[0]
        if len(line) > TARGET_MAX + 32:
            words = line.split(b" ")
            long = len(words) > 1 and len(words[1]) > TARGET_MAX
            raise Refused(414, "the target is too long") if long else bad("no request line")
        if len(head) > HEAD_MAX:
            raise Refused(431, "the header section is too long")

    def parse_head(self, head):
        first, *lines = head.split(b"\r\n")
        words = first.split(b" ")
        if len(words) != 3 or not TOKEN.fullmatch(words[0]) or not words[1]:
            raise bad("no request line")
        if not re.fullmatch(rb"[!-~]+", words[1]):
            raise bad("the target has bytes that it must not have")
        if len(words[1]) > TARGET_MAX:
            raise Refused(414, "the target is too long")
        if not re.fullmatch(rb"HTTP/\d\.\d", words[2]):
            raise bad("no HTTP version")
        if words[2] not in (b"HTTP/1.0", b"HTTP/1.1"):
            raise Refused(505, "only HTTP/1.0 and HTTP/1.1")
        if len(lines) > FIELDS_MAX:
            raise Refused(431, "too many fields")
        fields = []
        for line in lines:
            name, colon, value = line.partition(b":")
            if not colon or not TOKEN.fullmatch(name) or re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", value):
                raise bad("a field line that is none")
            fields.append((name.lower(), value.strip(b" \t")))
        hosts = [value for name, value in fields if name == b"host"]
        if len(hosts) > 1 or (not hosts and words[2] == b"HTTP/1.1"):
            raise bad("exactly one Host")
        return words[0].decode(), words[1].decode(), fields

    def body_len(self, method, fields):
        codings = [value for name, value in fields if name == b"transfer-encoding"]
        lengths = [value for name, value in fields if name == b"content-length"]
        if codings and lengths:
            raise bad("a length beside a transfer encoding")
        if codings:
            raise Refused(501, "no transfer encodings here")
        if len(lengths) > 1 or (lengths and not re.fullmatch(rb"\d+", lengths[0])):
            raise bad("a length is digits, once")
        if method == "POST" and not lengths:
            raise Refused(411, "send Content-Length")
        # Not int() of a million digits.
        length = int(lengths[0][-20:]) if lengths else 0
        if length > BODY_MAX or (lengths and len(lengths[0].lstrip(b"0")) > 19):
            raise Refused(413, "the body is too long")
        return length

    def read_body(self, client, body, length, until):
        while len(body) < length:
            body = self.fill(client, body, until, True)
        return body[:length]

    # Routes.

    def answer(self, method, target, fields, body):
        path, _, query = target.partition("?")
        if path not in ROUTES:
            raise Refused(404, "no such path")
        if method not in ROUTES[path]:
            raise Refused(405, "no such method here", [("Allow", ", ".join(ROUTES[path]))])
        if method == "POST":
            return self.post_metrics(fields, body)
        return {"/": self.page, "/metrics": self.telemetry, "/health": self.health,
                "/query": lambda: self.query(query), "/alerts": self.alerts}[path]()

    def post_metrics(self, fields, body):
        kinds = [value for name, value in fields if name == b"content-type"]
        if kinds and kinds[0].split(b";")[0].strip().lower() != b"application/json":
            raise Refused(415, "send Content-Type: application/json")
        value = parse_json(body)
        if not isinstance(value, dict) or value.known_twice:
            raise bad("expected an object without equal keys")
        now = time.time_ns() // 1_000_000
        lines = self.batch(value, now) if "metrics" in value else [metric(value, now)]
        self.store(lines)
        return self.accepted(len(lines))

    def accepted(self, count):
        return 202, "application/json", json.dumps(
            {"status": "accepted", "accepted": count}, separators=(",", ":"))

    def batch(self, value, now):
        items = value["metrics"]
        if "name" in value or "value" in value or not isinstance(items, list):
            raise bad("metrics: expected a list and nothing beside it")
        if not 1 <= len(items) <= BATCH_MAX:
            raise bad("metrics: expected 1 to 1000 items")
        lines = []
        for index, item in enumerate(items):
            try:
                lines.append(metric(item, now))
            except Refused as refused:
                raise bad(f"metrics[{index}]: {refused.detail}") from None
        return lines

    def health(self):
        return 200, "application/json", '{"status":"ok","queue_size":0}'

    def alerts(self):
        return 200, "application/json", "[]"

    def page(self):
        return 200, "text/html; charset=utf-8", "<!doctype html><title>Metrics</title>"

    def telemetry(self):
        lines = ["# TYPE ingest_requests_total counter"]
        lines += [f'ingest_requests_total{{status="{status}"}} {count}'
                  for status, count in sorted(self.answers.items())]
        return 200, "text/plain; version=0.0.4", "\n".join(lines) + "\n"

    def query(self, text):
        query = dict(urllib.parse.parse_qsl(text, keep_blank_values=True))
        for name in query:
            if name not in ("name", "start", "end", "agg", "step"):
                raise bad(f"{name}: no such parameter")
        agg = query.get("agg")
        if agg not in (None, "avg", "min", "max", "sum", "count", "p50", "p95", "p99"):
            raise bad("agg: no such aggregation")
        if "step" in query and (agg is None or not re.fullmatch(r"[1-9]\d*(ms|s|m|h)", query["step"])):
            raise bad("step: expected a duration beside agg")
        start, end = (self.moment(query, name, default)
                      for name, default in (("start", 0), ("end", TIMESTAMP_MAX)))
        if start > end:
            raise bad("start: after end")
        self.file.seek(0)
        points = [json.loads(line) for line in self.file.read().splitlines()]
        found = [point for point in points if query.get("name", point["name"]) == point["name"]
                 and rfc3339(start) <= point["timestamp"] <= rfc3339(end)]
        return 200, "application/json", json.dumps(found)

    def moment(self, query, name, default):
        if name not in query:
            return default
        value = query[name]
        try:
            return milliseconds(int(value) if value.isdigit() else value)
        except Refused:
            raise bad(f"{name}: no time") from None

    # Connections.

    def serve(self, client):
        try:
            status, kind, body, extra = self.respond(client)
        except (Gone, OSError):
            return
        self.answers[status] = self.answers.get(status, 0) + 1
        body = body.encode("utf-8")
        lines = [f"HTTP/1.1 {status} {REASONS[status]}", f"Content-Type: {kind}",
                 f"Content-Length: {len(body)}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in extra]
        try:
            client.settimeout(5)
            client.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
            self.drain(client)
        except OSError:
            pass

    def respond(self, client):
        until = time.monotonic() + self.options.timeout
        try:
            head, rest = self.read_head(client, until)
            method, target, fields = self.parse_head(head)
            length = self.body_len(method, fields)
            body = self.read_body(client, rest, length, until)
            return *self.answer(method, target, fields, body), ()
        except Refused as refused:
            error = REASONS[refused.status].lower().replace(" ", "_")
            body = json.dumps({"error": error, "detail": refused.detail})
            return refused.status, "application/json", body, refused.fields

    def drain(self, client):
        """To close with bytes unread would reset the connection before the answer is read."""
        client.shutdown(socket.SHUT_WR)
        client.settimeout(0.2)
        until = time.monotonic() + 1
        while time.monotonic() < until and client.recv(1 << 20):
            pass

    def run(self):
        listener = socket.create_server(("127.0.0.1", self.options.port), backlog=256)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
        print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        while True:
            client, _ = listener.accept()
            with client:
                self.serve(client)


def duration(text):
    number, unit = re.fullmatch(r"(\d+)(ms|s)", text).groups()
    return int(number) / (1000 if unit == "ms" else 1)


def main(kind=Server):
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--data-file", default="metrics.jsonl")
    parser.add_argument("--timeout", type=duration, default=10)
    options = parser.parse_args()
    os.makedirs(os.path.dirname(options.data_file) or ".", exist_ok=True)
    kind(options).run()


if __name__ == "__main__":
    main()
