"""nginx twice: as the fastest possible upstream (a fixed JSON answer), and as the bare reverse proxy to compare with.

One process each, so that nothing outlives a kill. The proxy keeps its upstream connections open and does not buffer,
so it is the least that a hop can cost; a gateway is read as a fraction of it.
"""

import shutil
from pathlib import Path

from .process import HOST
from .wire import ANSWER, MODELS, SERVER_INFO

SHELL = """
worker_processes 1;
daemon off;
master_process off;
pid {folder}/{name}.pid;
error_log stderr error;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  keepalive_timeout 600s;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/{name}-body;
  proxy_temp_path {folder}/{name}-proxy;
  fastcgi_temp_path {folder}/{name}-fastcgi;
  uwsgi_temp_path {folder}/{name}-uwsgi;
  scgi_temp_path {folder}/{name}-scgi;
{body}
}}
"""

UPSTREAM = """
  server {{
    listen {host}:{port} backlog=4096;
    default_type application/json;
    location /health {{ return 200 '{{}}'; }}
    location /v1/models {{ return 200 '{models}'; }}
    location /get_ {{ return 200 '{server_info}'; }}
    location / {{ return 200 '{answer}'; }}
  }}
"""

PROXY = """
  upstream mock {{ server {host}:{upstream_port}; keepalive 1024; keepalive_requests 1000000000; }}
  server {{
    listen {host}:{port} backlog=4096;
    location / {{
      proxy_pass http://mock;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
"""


COLLECTOR = """
  server {{
    listen {host}:{port} backlog=4096;
    client_max_body_size 100m;
    default_type application/x-protobuf;
    location / {{ return 200 ''; }}
  }}
"""


def installed() -> bool:
    return shutil.which("nginx") is not None


def upstream_command(folder: Path, port: int) -> list[str]:
    """Write the configuration of the JSON upstream and return the command that runs it."""
    body = UPSTREAM.format(
        host=HOST, port=port, answer=ANSWER.decode(), models=MODELS.decode(), server_info=SERVER_INFO.decode()
    )
    return _command(folder, "nginx-upstream", body)


def collector_command(folder: Path, port: int) -> list[str]:
    """Write the configuration of a collector that takes all spans and keeps none; return the command that runs it."""
    return _command(folder, "nginx-collector", COLLECTOR.format(host=HOST, port=port))


def proxy_command(folder: Path, port: int, upstream_port: int) -> list[str]:
    """Write the configuration of the bare reverse proxy and return the command that runs it."""
    return _command(folder, "nginx", PROXY.format(host=HOST, port=port, upstream_port=upstream_port))


def _command(folder: Path, name: str, body: str) -> list[str]:
    path = folder / f"{name}.conf"
    path.write_text(SHELL.format(folder=folder, name=name, body=body))
    return ["nginx", "-p", str(folder), "-e", "stderr", "-c", str(path)]
