#!/usr/bin/env bash
# Small requests over HTTP/2 in clear text through Spawngate and its peers in one run: CPU of the proxy per request, requests per second, latency.
#
#   bench/load/h2.sh [ROUNDS] [REQUESTS] [CONNECTIONS] [STREAMS]      default 5 rounds of 100,000 for each proxy, interleaved; 16 connections of 32 streams
#
# Needs artifacts/spawngate (./build.sh), h2load and nginx; haproxy and nghttpx are measured too where they are installed. Everything listens on loopback and is
# ended at exit. Compare ratios within one run only: the machine decides the absolute figures.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
rounds=${1:-5}
requests=${2:-100000}
connections=${3:-16}
streams=${4:-32}
work=$(mktemp -d)
pids=()

finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2> /dev/null || true; done
  wait 2> /dev/null || true
  rm -rf "$work"
}
trap finish EXIT

need() {
  command -v "$1" > /dev/null || [ -x "$1" ] || { echo "h2.sh: $1 is missing" >&2; exit 1; }
}
need h2load
need nginx
need "$root/artifacts/spawngate"

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
backend=$(free_port) nginx_port=$(free_port) spawngate_port=$(free_port) admin_port=$(free_port) haproxy_port=$(free_port) nghttpx_port=$(free_port)

nginx_head="worker_processes 1; daemon off; master_process off; error_log $work/error.log; events { worker_connections 4096; }"
cat > "$work/backend.conf" << EOF
pid $work/backend.pid; $nginx_head
http { access_log off; keepalive_requests 1000000000;
  server { listen 127.0.0.1:$backend backlog=4096; location / { return 200 "Hello, World!"; } } }
EOF
cat > "$work/nginx.conf" << EOF
pid $work/nginx.pid; $nginx_head
http { access_log off; keepalive_requests 1000000000;
  upstream backend { server 127.0.0.1:$backend; keepalive 1024; keepalive_requests 1000000000; }
  server { listen 127.0.0.1:$nginx_port http2 backlog=4096; http2_max_concurrent_streams 250; location / {
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
  bind 127.0.0.1:$haproxy_port proto h2
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
if command -v nghttpx > /dev/null; then
  nghttpx --conf=/dev/null --workers=1 --single-process -f"127.0.0.1,$nghttpx_port;no-tls" -b"127.0.0.1,$backend" --add-x-forwarded-for --backend-connections-per-frontend=0 \
    --errorlog-file="$work/nghttpx.log" --accesslog-file=/dev/null > /dev/null 2>&1 & nghttpx=$!
  pids+=("$nghttpx")
  proxies+=("nghttpx $nghttpx_port $nghttpx")
fi
# Spawngate first: its request starts the backend that all of them use.
for proxy in "spawngate $spawngate_port" "${proxies[@]}"; do
  read -r _ port _ <<< "$proxy"
  curl -sf --http2-prior-knowledge -o /dev/null --retry 20 --retry-connrefused --retry-delay 1 "http://127.0.0.1:$port/"
done

ticks_of() {
  awk '{print $14 + $15}' "/proc/$1/stat"
}

for ((round = 1; round <= rounds; round++)); do
  for proxy in "${proxies[@]}"; do
    read -r name port pid <<< "$proxy"
    before=$(ticks_of "$pid")
    h2load -t1 -c"$connections" -m"$streams" -n"$requests" "http://127.0.0.1:$port/" > "$work/h2load"
    after=$(ticks_of "$pid")
    grep -E '^requests:' "$work/h2load" | grep -v ' 0 failed, 0 errored, 0 timeout' | sed "s/^/$name: /" >&2 || true
    awk -v name="$name" -v ticks=$((after - before)) -v hz="$(getconf CLK_TCK)" -v n="$requests" -v rss="$(awk '/VmRSS/ {print $2}' "/proc/$pid/status")" '
      function us(t) { return t ~ /us$/ ? t + 0 : t ~ /ms$/ ? t * 1000 : t * 1000000 }
      /^finished in/ {rps = $4} /^time for request/ {most = us($5); mean = us($6)}
      END {printf "%s %.2f %.0f %.0f %.0f %d\n", name, ticks * 1e6 / hz / n, rps, mean, most, rss}' "$work/h2load" | tee -a "$work/rounds" >&2
  done
done

python3 - "$work/rounds" "$rounds" "$requests" "$connections" "$streams" << 'EOF'
import statistics, sys
rows = {}
for line in open(sys.argv[1]):
    name, *figures = line.split()
    rows.setdefault(name, []).append([float(f) for f in figures])
median = {name: [statistics.median(c) for c in zip(*r)] for name, r in rows.items()}
base = median["nginx"]
print(f"h2load -t1 -c{sys.argv[4]} -m{sys.argv[5]}, 13-byte body, {sys.argv[2]} rounds of {sys.argv[3]} requests each, interleaved; medians (lowest - highest)\n")
print("| proxy | CPU µs per request | ratio to nginx | requests/s | ratio | mean µs | most µs | resident KiB |")
print("|---|---|---|---|---|---|---|---|")
for name, m in sorted(median.items(), key=lambda item: item[1][0]):
    cpu = [r[0] for r in rows[name]]
    print(f"| {name} | {m[0]:.1f} ({min(cpu):.1f} - {max(cpu):.1f}) | {m[0] / base[0]:.2f} | {m[1]:.0f} | {m[1] / base[1]:.2f} | {m[2]:.0f} | {m[3]:.0f} | {m[4]:.0f} |")
EOF
