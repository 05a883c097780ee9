"""Spawngate and its peers with equal features: configuration, start, and which processes they are."""
import os
import time

from processes import ROOT, BenchError, family, free_port, start, wait_for_port, which

SPAWNGATE = os.path.join(ROOT, "artifacts", "spawngate")
NAMES = ("spawngate", "nginx", "haproxy", "nghttpx")
# Executables of Spawngate by name; another one to compare with may join. `kestrel` is the same one on Kestrel's transport.
OURS = {"spawngate": SPAWNGATE, "kestrel": SPAWNGATE}
IDLE_UPSTREAM_MAX = 128      # more than any scenario has clients that are active at once
HOST_IDLE_UPSTREAM_MAX = 10  # the same with a thousand hosts, where the active clients spread


class Site:
    """
    Backends by host name, each on a port of its own: nginx for the plain scenarios, the program made from backend.c for the others.
    The peers share one site; Spawngate starts its backends itself and so has another.
    """

    def __init__(self, work, program, host_names):
        self.work, self.program = work, program
        self.hosts = {name: free_port() for name in host_names}
        self.children = []

    def start(self):
        self.children = [start(self.command(port), f"{self.work}/backend.log") for port in self.hosts.values()]
        for child, port in zip(self.children, self.hosts.values()):
            wait_for_port(port, child)

    def command(self, port):
        return ["nginx", "-c", self._nginx_backend(port)] if self.program == "nginx" else [self.program, "--port", str(port)]

    def _nginx_backend(self, port):
        path = f"{self.work}/backend-{port}.conf"
        with open(path, "w") as f:
            f.write(f"""pid {self.work}/backend-{port}.pid; worker_processes 1; daemon off; master_process off; error_log {self.work}/backend.log;
events {{ worker_connections 16000; }}
http {{ access_log off; keepalive_requests 1000000000; sendfile on; tcp_nopush on; client_max_body_size 0;
  open_file_cache max=16 inactive=1h;
  server {{ listen 127.0.0.1:{port} backlog=4096;
    location / {{ return 200 "Hello, World!"; }}
    location /files/ {{ alias {self.work}/files/; }} }} }}
""")
        return path


class Proxy:
    """A running proxy: its ports, its processes, and the name it has in tables."""

    def __init__(self, name, threads, work):
        self.name, self.threads, self.work = name, threads, work
        self.key = f"{name} ×{threads}"
        self.port, self.h2_port, self.child, self.pids = free_port(), None, None, []

    def run(self, site):
        """Starts the proxy. The backends of `site` run already, unless it is Spawngate, which starts them itself."""
        {"nginx": self._nginx, "haproxy": self._haproxy, "nghttpx": self._nghttpx}.get(self.name, self._spawngate)(site)
        wait_for_port(self.port, self.child)
        self.refresh()
        # The master listens before it has forked its workers.
        expected = self.threads + 1 if self.name == "nginx" and self.threads > 1 else 1
        deadline = time.monotonic() + 5
        while len(self.pids) < expected:
            if time.monotonic() > deadline:
                raise BenchError(f"{self.key} has {len(self.pids)} processes instead of {expected}")
            time.sleep(0.02)
            self.refresh()

    def refresh(self):
        """Looks for its processes anew: some come with the first request."""
        self.pids = family(self.child.pid)

    def _start(self, command, environment=None):
        self.child = start(command, f"{self.work}/{self.name}-{self.threads}.log", environment)

    def _write(self, extension, text):
        path = f"{self.work}/{self.name}-{self.threads}.{extension}"
        with open(path, "w") as f:
            f.write(text)
        return path

    def _idle_max(self, site):
        return IDLE_UPSTREAM_MAX if len(site.hosts) == 1 else HOST_IDLE_UPSTREAM_MAX

    def _spawngate(self, site):
        self.h2_port = self.port
        text = f"""[server]
port = {self.port}
bind = "127.0.0.1"
admin_port = {free_port()}
pool_max_idle_per_host = {self._idle_max(site)}
[defaults]
health_path = ""
idle_timeout_secs = 0
ready_health_check_interval_ms = 0
"""
        for host, port in site.hosts.items():
            command, *arguments = site.command(port)
            text += f'[backends."{host}"]\ncommand = "{command}"\nargs = [{", ".join(chr(34) + a + chr(34) for a in arguments)}]\nport = {port}\n'
        # Its threads follow the number of processors the runtime sees: there is no setting of its own.
        environment = {"SPAWNGATE_LOG": "warn", "DOTNET_PROCESSOR_COUNT": str(self.threads)}
        if self.name == "kestrel":
            environment["SPAWNGATE_TRANSPORT"] = "kestrel"
        self._start([OURS[self.name], self._write("toml", text)], environment)

    def _nginx(self, site):
        self.h2_port = free_port()
        idle = self._idle_max(site)
        process = "master_process off; worker_processes 1;" if self.threads == 1 else f"worker_processes {self.threads};"
        headers = """proxy_http_version 1.1; proxy_set_header Host $http_host;
      proxy_set_header X-Request-ID $request_id; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Host $http_host; proxy_set_header X-Forwarded-Proto http; proxy_set_header Via "1.1 nginx";
      add_header X-Request-ID $request_id;"""
        reuse = " reuseport" if self.threads > 1 else ""
        servers = ""
        for index, (host, port) in enumerate(site.hosts.items()):
            first = index == 0
            servers += f"""  upstream b{index} {{ server 127.0.0.1:{port}; keepalive {idle}; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{self.port}{f" backlog=4096{reuse}" if first else ""}; listen 127.0.0.1:{self.h2_port} http2{f" backlog=4096{reuse}" if first else ""};
    server_name {host};
    location / {{ proxy_pass http://b{index}; proxy_set_header Connection ""; {headers} }}
    location /websocket {{ proxy_pass http://b{index}; proxy_set_header Connection "upgrade"; proxy_set_header Upgrade $http_upgrade; {headers} }} }}
"""
        self._start(["nginx", "-c", self._write("conf", f"""pid {self.work}/nginx-{self.threads}.pid; daemon off; {process} error_log {self.work}/nginx-{self.threads}.log;
events {{ worker_connections 19000; }}
http {{ access_log off; keepalive_requests 1000000000; http2_max_concurrent_streams 250; client_max_body_size 0; server_names_hash_max_size 8192;
  proxy_buffers 8 64k; proxy_buffer_size 64k; proxy_busy_buffers_size 128k; client_body_buffer_size 64k;
  proxy_request_buffering off; proxy_max_temp_file_size 0; client_body_temp_path {self.work}/nginx-body; proxy_temp_path {self.work}/nginx-proxy;
{servers}}}
""")])

    def _haproxy(self, site):
        self.h2_port = free_port()
        choice = "".join(f"  use_backend b{i} if {{ req.hdr(host),field(1,:) -m str {h} }}\n" for i, h in enumerate(site.hosts)) if len(site.hosts) == 1 \
            else "  use_backend %[req.hdr(host),field(1,:),lower]\n"
        text = f"""global
  nbthread {self.threads}
  maxconn 15000
  no strict-limits
  tune.bufsize 65536
  tune.pool-low-fd-ratio 80
  tune.pool-high-fd-ratio 90
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
  timeout tunnel 60s
  option http-keep-alive
  option splice-auto
  http-reuse always
frontend f
  bind 127.0.0.1:{self.port} backlog 4096
  bind 127.0.0.1:{self.h2_port} proto h2 backlog 4096
  unique-id-format %{{+X}}o%ci%cp%Ts%rt
  unique-id-header X-Request-ID
  option forwardfor
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Forwarded-Proto http
  http-request set-header Via "1.1 haproxy"
  http-response set-header X-Request-ID %[unique-id]
{choice}"""
        for index, (host, port) in enumerate(site.hosts.items()):
            name = f"b{index}" if len(site.hosts) == 1 else host
            text += f"backend {name}\n  server s 127.0.0.1:{port}\n"
        self._start(["haproxy", "-db", "-f", self._write("cfg", text)])

    def _nghttpx(self, site):
        self.h2_port = self.port
        backends = "".join(f"backend=127.0.0.1,{port};{'' if len(site.hosts) == 1 else host + '/'}\n" for host, port in site.hosts.items())
        if len(site.hosts) > 1:
            backends += f"backend=127.0.0.1,{next(iter(site.hosts.values()))}\n"  # It insists on a backend for everything else.
        text = f"""frontend=127.0.0.1,{self.port};no-tls
{backends}workers={self.threads}
single-process=yes
add-x-forwarded-for=yes
backend-connections-per-frontend=0
backlog=4096
accesslog-file=/dev/null
errorlog-file={self.work}/nghttpx.log
"""
        self._start(["nghttpx", f"--conf={self._write('nghttpx', text)}"])


def installed(names):
    """Those of `names` that can run here."""
    return [n for n in names if n in OURS or which(n)]
