#!/usr/bin/env bash
# A Docker engine for tests that shares nothing with another one on the same machine: socket, data, bridge, subnet, containerd
# namespace and control group are its own, and iptables are left alone. When its input ends, whatever happened to the program
# that held it, the engine ends and everything that it made goes with it.
#
#   engine.sh FOLDER [DOCKERD-ARGUMENT...]
#
# FOLDER is made here and removed at the end; the engine listens on FOLDER/docker.sock and logs to stderr.
#   stdin   start                  starts dockerd, again if it has ended
#   stdout  network 10.N.0.1       first of all: the address by which its containers reach this machine; its networks are in 10.N.0.0/16
#           started PID, ended N   of dockerd; N is its exit status
set -uo pipefail

folder=$1
shift
mkdir -p "$folder" || exit 1
folder=$(cd "$folder" && pwd -P)
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy

# The name of a bridge can be had once only, so two engines that start together do not get the same number. It has a hardware address of
# its own: without one it takes the lowest of its ports, which changes whenever a container comes or goes, and the others' packets are lost.
take_network() {
  local candidate
  for candidate in $(shuf -i 60-250); do
    if ! { ip -o -4 address show; ip -4 route show; } | grep -qE "(^|[^0-9.])10\.$candidate\." && ip link add "sgate$candidate" address "$(printf '02:42:0a:%02x:00:01' "$candidate")" type bridge 2> /dev/null; then
      number=$candidate
      name=sgate$candidate
      # With a port that stays it never loses its carrier, whose return the kernel may take a second to notice.
      ip link add "$name-port" type dummy && ip link set "$name-port" master "$name" up
      ip address add "10.$number.0.1/24" dev "$name" && ip link set "$name" up
      return
    fi
  done
  echo 'engine.sh: no bridge could be made' >&2
  return 1
}

# An engine takes a containerd for alive that is a zombie, as one is after a SIGKILL of its engine where nobody reaps orphans.
forget_containerd() {
  local file=$folder/exec/containerd/containerd.pid tries
  for tries in $(seq 50); do
    [ -f "$file" ] && lives "$(cat "$file")" || break
    sleep 0.1
  done
  rm -f "$file"
}

run_engine() {
  forget_containerd
  dockerd --host "unix://$folder/docker.sock" --data-root "$folder/data" --exec-root "$folder/exec" --pidfile "$folder/pid" \
    --bridge "$name" --default-address-pool "base=10.$number.128.0/17,size=24" --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false \
    --containerd-namespace "$name" --containerd-plugins-namespace "$name-plugins" \
    --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$name" "$@" < /dev/null &
  echo "$!" > "$folder/engine"
  echo "started $!"
  wait "$!"
  echo "ended $?"
}

# Kills what is in the containers, so that nothing waits for their grace periods.
kill_containers() {
  local list
  grep -lsE ":/$name/" /proc/[0-9]*/cgroup | while IFS=/ read -r _ _ list _; do kill -KILL "$list" 2> /dev/null; done
}

# kill_own SIGNAL: what the engine started carries its folder, its namespace or an address of its network in the command line.
kill_own() {
  local pid
  grep -lsaE "$folder/|namespace.$name.|container-ip.10\.$number\." /proc/[0-9]*/cmdline | while IFS=/ read -r _ _ pid _; do
    [ "$pid" = "$$" ] || kill "-$1" "$pid" 2> /dev/null
  done
}

# lives PID: a zombie does not.
lives() {
  [ -n "$1" ] && grep -qs '^State:[[:space:]]*[^Z[:space:]]' "/proc/$1/status"
}

end_all() {
  trap '' TERM INT HUP
  local pid tries
  pid=$(cat "$folder/engine" 2> /dev/null)
  kill_containers
  if lives "$pid"; then
    kill -TERM "$pid"
    for tries in $(seq 100); do
      lives "$pid" || break
      sleep 0.1
    done
  fi
  kill_own KILL
  kill_containers
  for tries in $(seq 50); do
    grep -lsE ":/$name/" /proc/[0-9]*/cgroup > /dev/null || break
    sleep 0.1
  done
  awk -v folder="$folder/" 'index($2, folder) == 1 {print $2}' /proc/mounts | sort -r | xargs -r -n 1 umount -l
  ip -o -4 address show | awk -v prefix="10.$number." 'index($4, prefix) == 1 {print $2}' | xargs -r -n 1 ip link delete
  ip link delete "$name-port"
  find /sys/fs/cgroup -depth -type d -path "*/$name*" -exec rmdir {} + 2> /dev/null
  rm -rf "$folder"
}

take_network || exit 1
trap end_all EXIT
trap 'exit 1' TERM INT HUP
echo "network 10.$number.0.1"
while read -r command; do
  case "$command" in
    start) run_engine "$@" & ;;
    *) echo "engine.sh: no command $command" >&2 ;;
  esac
done
exit 0
