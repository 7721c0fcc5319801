"""A server on loopback for tests: serve.py FOLDER PORTFILE. Paths below /cut/ break off after half of what is left, twice;
below /broken/ always at once. Ranges are answered."""
import http.server, os, sys

folder, port_file = sys.argv[1:]
cuts = {}


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        kind, name = self.path.strip("/").split("/")
        path = os.path.join(folder, name)
        if not os.path.exists(path):
            return self.send_error(404)
        data = open(path, "rb").read()
        start = int((self.headers.get("Range") or "bytes=0-")[6:].split("-")[0])
        if start >= len(data) > 0:
            return self.send_error(416)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        if start:
            self.send_header("Content-Range", "bytes %d-%d/%d" % (start, len(data) - 1, len(data)))
        self.end_headers()
        rest = data[start:]
        cuts[name] = cuts.get(name, 0) + 1
        if kind == "broken" or kind == "cut" and cuts[name] <= 2:
            rest = rest[:len(rest) // 2]
        self.wfile.write(rest)


server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
open(port_file + ".new", "w").write(str(server.server_port))
os.rename(port_file + ".new", port_file)
server.serve_forever()
