# SPDX-License-Identifier: Apache-2.0
"""Stands for a model server in the worked cases: answers /v1/models on loopback.

It opens no model: what the cases are about is in the files, and nothing here
loads them. usage: scene_server.py NAME PORT_FILE
"""
import http.server
import json
import os
import sys

NAME, PORT_FILE = sys.argv[1:3]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"object": "list", "data": [{"id": NAME, "object": "model"}]}).encode()
        self.send_response(200 if self.path == "/v1/models" else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """A probe that gave up while the process was frozen is no news."""


server = Server(("127.0.0.1", 0), Handler)
with open(PORT_FILE + ".partial", "w") as out:
    out.write(str(server.server_port))
os.replace(PORT_FILE + ".partial", PORT_FILE)
server.serve_forever()
