#!/usr/bin/env bash
# Small keep-alive requests through Spawngate and its peers in one run: CPU of the proxy per request, requests per second, latency.
#
#   bench/load/keepalive.sh [ROUNDS] [SECONDS]      default 5 rounds of 5 s for each proxy, interleaved
#
# Needs artifacts/spawngate (./build.sh), wrk and nginx; haproxy is measured too where it is installed. Everything listens on loopback and is
# ended at exit. Compare ratios within one run only: the machine decides the absolute figures.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
rounds=${1:-5}
seconds=${2:-5}
connections=64
work=$(mktemp -d)
pids=()

finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2> /dev/null || true; done
  wait 2> /dev/null || true
  rm -rf "$work"
}
trap finish EXIT

need() {
  command -v "$1" > /dev/null || [ -x "$1" ] || { echo "keepalive.sh: $1 is missing" >&2; exit 1; }
}
need wrk
need nginx
need "$root/artifacts/spawngate"

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
backend=$(free_port) nginx_port=$(free_port) spawngate_port=$(free_port) admin_port=$(free_port) haproxy_port=$(free_port)

nginx_head="worker_processes 1; daemon off; master_process off; error_log $work/error.log; events { worker_connections 4096; }"
cat > "$work/backend.conf" << EOF
pid $work/backend.pid; $nginx_head
http { access_log off; keepalive_requests 1000000000;
  server { listen 127.0.0.1:$backend backlog=4096; location / { return 200 "Hello, World!"; } } }
EOF
cat > "$work/nginx.conf" << EOF
pid $work/nginx.pid; $nginx_head
http { access_log off; keepalive_requests 1000000000;
  upstream backend { server 127.0.0.1:$backend; keepalive 128; keepalive_requests 1000000000; }
  server { listen 127.0.0.1:$nginx_port backlog=4096; location / {
    proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host \$http_host;
    proxy_set_header X-Request-ID \$request_id; proxy_set_header X-Forwarded-For \$proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Host \$http_host; proxy_set_header X-Forwarded-Proto http; proxy_set_header Via "1.1 nginx";
    add_header X-Request-ID \$request_id; } } }
EOF
cat > "$work/spawngate.toml" << EOF
[server]
port = $spawngate_port
bind = "127.0.0.1"
admin_port = $admin_port
[backends."127.0.0.1"]
command = "nginx"
args = ["-c", "$work/backend.conf"]
port = $backend
health_path = ""
idle_timeout_secs = 0
EOF
cat > "$work/haproxy.cfg" << EOF
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
  option http-keep-alive
  http-reuse always
frontend f
  bind 127.0.0.1:$haproxy_port
  unique-id-format %{+X}o%ci%cp%Ts%rt
  unique-id-header X-Request-ID
  option forwardfor
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Forwarded-Proto http
  http-request set-header Via "1.1 haproxy"
  http-response set-header X-Request-ID %[unique-id]
  default_backend b
backend b
  server s 127.0.0.1:$backend
EOF

SPAWNGATE_LOG=warn "$root/artifacts/spawngate" "$work/spawngate.toml" & spawngate=$!
nginx -c "$work/nginx.conf" & nginx=$!
pids+=("$spawngate" "$nginx")
proxies=("nginx $nginx_port $nginx" "spawngate $spawngate_port $spawngate")
if command -v haproxy > /dev/null; then
  haproxy -f "$work/haproxy.cfg" > /dev/null 2>&1 & haproxy=$!
  pids+=("$haproxy")
  proxies+=("haproxy $haproxy_port $haproxy")
fi
# Spawngate first: its request starts the backend that all of them use.
for proxy in "spawngate $spawngate_port" "${proxies[@]}"; do
  read -r _ port _ <<< "$proxy"
  curl -sf -o /dev/null --retry 20 --retry-connrefused --retry-delay 1 "http://127.0.0.1:$port/"
done

ticks_of() {
  awk '{print $14 + $15}' "/proc/$1/stat"
}

for ((round = 1; round <= rounds; round++)); do
  for proxy in "${proxies[@]}"; do
    read -r name port pid <<< "$proxy"
    before=$(ticks_of "$pid")
    wrk -t1 -c"$connections" -d"${seconds}s" --latency "http://127.0.0.1:$port/" > "$work/wrk"
    after=$(ticks_of "$pid")
    grep -E 'Socket errors|Non-2xx' "$work/wrk" | sed "s/^/$name: /" >&2 || true
    awk -v name="$name" -v ticks=$((after - before)) -v hz="$(getconf CLK_TCK)" -v rss="$(awk '/VmRSS/ {print $2}' "/proc/$pid/status")" '
      function us(t) { return t ~ /us$/ ? t + 0 : t ~ /ms$/ ? t * 1000 : t * 1000000 }
      $1 == "50%" {p50 = us($2)} $1 == "99%" {p99 = us($2)} /requests in/ {n = $1} /Requests\/sec/ {rps = $2}
      END {printf "%s %.2f %.0f %.0f %.0f %d\n", name, ticks * 1e6 / hz / n, rps, p50, p99, rss}' "$work/wrk" | tee -a "$work/rounds" >&2
  done
done

python3 - "$work/rounds" "$rounds" "$seconds" << 'EOF'
import statistics, sys
rows = {}
for line in open(sys.argv[1]):
    name, *figures = line.split()
    rows.setdefault(name, []).append([float(f) for f in figures])
median = {name: [statistics.median(c) for c in zip(*r)] for name, r in rows.items()}
base = median["nginx"]
print(f"wrk -t1 -c64, 13-byte body, {sys.argv[2]} rounds of {sys.argv[3]} s each, interleaved; medians (lowest - highest)\n")
print("| proxy | CPU µs per request | ratio to nginx | requests/s | ratio | p50 µs | p99 µs | resident KiB |")
print("|---|---|---|---|---|---|---|---|")
for name, m in sorted(median.items(), key=lambda item: item[1][0]):
    cpu = [r[0] for r in rows[name]]
    print(f"| {name} | {m[0]:.1f} ({min(cpu):.1f} - {max(cpu):.1f}) | {m[0] / base[0]:.2f} | {m[1]:.0f} | {m[1] / base[1]:.2f} | {m[2]:.0f} | {m[3]:.0f} | {m[4]:.0f} |")
EOF
